import json
from pathlib import Path

import pandas as pd
import pytest

from llmlab.market.bars.bars import COLUMNS, Bars
from llmlab.market.bars.manifest import describe, write


def bars_of(rows: dict[str, list[float]], is_index: bool = False) -> Bars:
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=COLUMNS)
    frame = frame.set_index(pd.DatetimeIndex(frame.index, name="date"))
    return Bars("made", frame, "test", is_index)


GOOD = {"2001-01-02": [1, 2, 1, 1.5, 10.0], "2001-01-03": [1, 2, 1, 1.5, 0.0]}


def test_zero_volume_and_gaps_are_counted() -> None:
    found = describe(bars_of(GOOD | {"2001-01-15": [1, 2, 1, 1.5, 5.0]}), "1", "MIT")
    assert (found.rows, found.zero_volume, found.missing_volume) == (3, 1, 0)
    assert found.gaps == ("2001-01-03 to 2001-01-15",)


@pytest.mark.parametrize("volume", [0.0, float("nan")])
@pytest.mark.parametrize(("is_index", "notes"), [(False, ("no volume on 2001-01-04",)), (True, ())])
def test_only_an_index_may_lack_volume(volume: float, is_index: bool, notes: tuple) -> None:
    rows = {"2001-01-02": GOOD["2001-01-02"], "2001-01-04": [1, 2, 1, 1.5, volume]}
    assert describe(bars_of(rows, is_index), "1", "MIT").notes == notes


def test_a_bar_upside_down_is_named_by_date() -> None:
    found = describe(bars_of(GOOD | {"2001-01-04": [1, 1, 2, 1.5, 5.0]}), "1", "MIT")
    assert found.bad == {"a high below its low": ["2001-01-04"]}


def test_one_digit_changes_the_checksum() -> None:
    changed = GOOD | {"2001-01-03": [1, 2, 1, 1.6, 0.0]}
    assert bars_of(GOOD).sha256 == bars_of(dict(GOOD)).sha256 != bars_of(changed).sha256


def test_a_manifest_is_written_under_the_name_of_its_asset(tmp_path: Path) -> None:
    path = write(describe(bars_of(GOOD), "1", "MIT"), tmp_path)
    assert path.name == "made.json"
    assert json.loads(path.read_text(encoding="utf-8"))["last"] == "2001-01-03"

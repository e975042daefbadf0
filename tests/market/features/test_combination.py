import pytest

from llmlab.market.bars.bars import Bars
from llmlab.market.features.combination import combined, overlaps, require_overlap
from llmlab.method.errors import LabError


def part(bars: Bars, name: str, start: int, stop: int) -> Bars:
    return Bars(name, bars.frame.iloc[start:stop], "")


def test_only_common_days_are_kept(bars: Bars) -> None:
    one, other = part(bars, "one", 0, 200), part(bars, "other", 100, 400)
    table = combined({"one": one.frame, "other": other.frame})
    assert len(table) == 100
    assert table["one close"].equals(table["other close"].rename("one close"))


def test_days_that_an_asset_lacks_are_counted(bars: Bars) -> None:
    gappy = Bars("gappy", bars.frame.drop(bars.frame.index[10:13]), "")
    (found,) = overlaps([gappy, bars])
    assert (found.common, found.missing) == (397, 3)


def test_assets_of_other_years_are_refused(bars: Bars) -> None:
    with pytest.raises(LabError, match="one and other have only 0 days in common"):
        require_overlap([part(bars, "one", 0, 100), part(bars, "other", 100, 200)])

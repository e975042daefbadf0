import math
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from llmlab.method.errors import LabError
from llmlab.method.running.parts import LOCK, Part, Parts, is_running, trials

PART = Part(
    row={"run_id": "rate=1/seed=0", "loss": 0.1},
    curves={"loss": [(0, 1.5), (1, math.nan)]},
    views={"attention": {"kind": "attention", "layers": [[1, 2]]}},
    started="2026-01-01T00:00:00+00:00",
    finished="2026-01-01T00:01:00+00:00",
    device="2 x CPU",
    commit="0123",
)
PARTS = Parts(Path("parts"))


@given(st.lists(st.text(), min_size=2, max_size=2, unique=True))
def test_every_run_has_a_file_of_its_own(run_ids: list[str]) -> None:
    first, second = (PARTS.path(run_id) for run_id in run_ids)
    assert first != second
    assert first.parent == second.parent == PARTS.folder
    assert len(first.name) < 120


def test_a_part_comes_back_as_it_was_written(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.write(PART)
    found = parts.read("rate=1/seed=0")
    assert math.isnan(found.curves["loss"][1][1])
    assert replace(found, curves={}) == replace(PART, curves={})


@pytest.mark.parametrize("text", [None, "", '{"row": ', "[]", '{"row": 3}', "[" * 100_000])
def test_a_part_that_is_missing_or_damaged_is_to_be_run(tmp_path: Path, text: str | None) -> None:
    parts = Parts(tmp_path)
    if text is not None:
        parts.path("seed=0").write_text(text)
    assert parts.read("seed=0") is None


def test_a_folder_in_the_place_of_a_part_is_to_be_removed(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.path("rate=1/seed=0").mkdir()
    with pytest.raises(LabError, match=r"cannot read .*: Is a directory; remove it"):
        parts.read("rate=1/seed=0")


def test_a_part_of_another_run_is_not_taken(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.write(PART)
    parts.path(PART.run_id).rename(parts.path("rate=2/seed=0"))
    assert parts.read("rate=2/seed=0") is None


def test_the_traceback_goes_when_the_run_is_finished_at_last(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.error_path(PART.run_id).write_text("Traceback")
    parts.write(PART)
    assert not parts.error_path(PART.run_id).exists()


def test_trials_are_ordered_by_condition_then_by_seed(lab) -> None:
    found = [trial.run_id for trial in trials(lab.add(), "smoke", {}, Path())]
    assert found == [
        "rate=1e-05/seed=0",
        "rate=1e-05/seed=1",
        "rate=0.1/seed=0",
        "rate=0.1/seed=1",
    ]


def test_a_folder_is_being_run_in_exactly_while_its_lock_is_held(tmp_path: Path) -> None:
    assert not is_running(tmp_path)
    with FileLock(tmp_path / LOCK):
        assert is_running(tmp_path)
    assert not is_running(tmp_path)

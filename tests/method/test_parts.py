from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from llmlab.method.parts import Parts, is_running, run_lock, trials

PARTS = Parts(Path("parts"))


@given(st.lists(st.text(), min_size=2, max_size=2, unique=True))
def test_every_run_has_a_file_of_its_own(run_ids: list[str]) -> None:
    first, second = (PARTS.path(run_id) for run_id in run_ids)
    assert first != second
    assert first.parent == second.parent == PARTS.folder
    assert len(first.name) < 120


def test_a_part_comes_back_as_it_was_written(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.write("rate=1/seed=0", {"row": {"loss": 0.1}})
    assert parts.read("rate=1/seed=0") == {"row": {"loss": 0.1}}


def test_a_part_that_is_missing_or_cut_short_is_to_be_run(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    assert parts.read("seed=0") is None
    parts.path("seed=0").write_text('{"row": ')
    assert parts.read("seed=0") is None


def test_the_traceback_goes_when_the_run_is_finished_at_last(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.error_path("seed=0").write_text("Traceback")
    parts.write("seed=0", {})
    assert not parts.error_path("seed=0").exists()


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
    with run_lock(tmp_path):
        assert is_running(tmp_path)
    assert not is_running(tmp_path)

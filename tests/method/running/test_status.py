"""The state of an experiment whose runs are unfinished, or being computed."""

import shutil

from filelock import FileLock

from llmlab.method.evidence.fingerprint import fingerprint
from llmlab.method.running.parts import LOCK, Parts, trials
from llmlab.method.running.runner import run_experiment
from llmlab.method.running.status import State, state, states


def finish_one(lab) -> None:
    toy = lab.add()
    parts = Parts.of(lab.project.fresh("smoke", "toy"), fingerprint(toy, "smoke"))
    first = next(trials(toy, "smoke", {}, parts.kept))
    parts.folder.mkdir(parents=True)
    parts.path(first.run_id).write_text("{}")


def test_finished_runs_without_tables_are_partial(lab) -> None:
    finish_one(lab)
    assert states(lab.project)["toy"] == {
        "smoke": State("partial", "1 of 4 runs"),
        "laptop": State("missing"),
    }


def test_tables_that_are_not_those_of_their_manifest_are_not_current(lab) -> None:
    run_experiment(lab.add(), "smoke", lab.project, workers=1)
    assert state(lab.project, "toy", "smoke").word == "current"
    folder = lab.project.fresh("smoke", "toy")
    shutil.rmtree(folder / "parts")  # as in a pack of tables
    (folder / "runs.csv").write_text("of another pack\n")
    found = state(lab.project, "toy", "smoke")
    assert found == State("stale", "runs.csv is damaged", "fresh")


def test_a_run_that_a_process_computes_is_running(lab) -> None:
    finish_one(lab)
    with FileLock(lab.project.fresh("smoke", "toy") / LOCK):
        assert state(lab.project, "toy", "smoke") == State("running", "1 of 4 runs")

from pathlib import Path

import pytest

from llmlab.method.errors import LabError
from llmlab.method.evidence.equivalence import Equivalence, write_equivalence
from llmlab.method.evidence.fingerprint import fingerprint
from llmlab.method.evidence.manifest import read_manifest
from llmlab.method.evidence.recording import record
from llmlab.method.evidence.tables import TIMING, read_curves, read_runs
from llmlab.method.running import added_seeds
from llmlab.method.running.added_seeds import judged_before, take_over
from llmlab.method.running.plan import make_plan
from llmlab.method.running.runner import run_experiment


def recorded_toy(lab):
    """The toy with its recorded smoke tables, and nothing left of how they were made."""
    toy = lab.add()
    run_experiment(toy, "smoke", lab.project)
    record(lab.project, "toy", "smoke")
    forget(lab.project.fresh("smoke", "toy"))
    return toy


def forget(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def with_three_seeds(lab):
    return lab.edit("toy", "seeds=2, settings", "seeds=3, settings")


def test_only_the_new_seeds_are_run_and_the_tables_are_those_of_a_run_from_nothing(lab) -> None:
    recorded_toy(lab)
    toy = with_three_seeds(lab)
    plan = make_plan(toy, "smoke", lab.project)
    assert take_over(plan, lab.project) == 4
    assert [trial.seed for trial in plan.trials if not plan.finished(trial)] == [2, 2]

    manifest = run_experiment(toy, "smoke", lab.project)
    extended = lab.project.fresh("smoke", "toy")
    anew = run_experiment(toy, "smoke", lab.project, out=lab.root / "anew") and (
        lab.root / "anew" / "smoke" / "toy"
    )
    tables = [read_runs(folder, toy).drop(columns=list(TIMING)) for folder in (extended, anew)]
    assert tables[0].equals(tables[1])
    assert read_curves(extended).equals(read_curves(anew))
    assert manifest.judged_before == (2,)


def test_a_run_that_is_finished_here_is_not_replaced(lab) -> None:
    recorded_toy(lab)
    toy = with_three_seeds(lab)
    run_experiment(toy, "smoke", lab.project, seeds=[0])
    assert take_over(make_plan(toy, "smoke", lab.project), lab.project) == 2


def test_the_same_seeds_again_are_no_further_look(lab) -> None:
    toy = recorded_toy(lab)
    assert judged_before(make_plan(toy, "smoke", lab.project), lab.project) == ()


def test_every_earlier_look_counts(lab) -> None:
    recorded_toy(lab)
    run_experiment(with_three_seeds(lab), "smoke", lab.project)
    record(lab.project, "toy", "smoke")
    toy = lab.edit("toy", 'seeds=3, settings={"pause": 0.0}', 'seeds=4, settings={"pause": 0.0}')
    assert judged_before(make_plan(toy, "smoke", lab.project), lab.project) == (2, 3)


def test_other_code_is_another_experiment(lab) -> None:
    recorded_toy(lab)
    with_three_seeds(lab)
    plan = make_plan(lab.edit("toy", "tokens=3", "tokens=4"), "smoke", lab.project)
    assert judged_before(plan, lab.project) == ()
    with pytest.raises(LabError, match=r"come from other code \(run, budget changed"):
        take_over(plan, lab.project)


def test_code_that_was_shown_to_give_the_same_results_extends_them(lab) -> None:
    recorded_toy(lab)
    folder = lab.project.recorded("smoke", "toy")
    then = read_manifest(folder).fingerprint
    now = fingerprint(lab.edit("toy", "tokens=3", "tokens=3 + 0"), "smoke")
    write_equivalence(folder, equivalence(then.digest, now.digest))
    plan = make_plan(with_three_seeds(lab), "smoke", lab.project)
    assert plan.fingerprint.run_digest != then.run_digest
    assert judged_before(plan, lab.project) == (2,)
    assert take_over(plan, lab.project) == 4

    later = make_plan(lab.edit("toy", "tokens=3 + 0", "tokens=3 + 1"), "smoke", lab.project)
    assert judged_before(later, lab.project) == ()


def equivalence(recorded: str, now: str) -> Equivalence:
    """What `attest` leaves for two states of the code."""
    run = {"scale": "smoke", "rows": 4, "sha256": {}, "host": "", "device": "", "libraries": {}}
    return Equivalence(recorded, now, "then", "now", ("run",), **run, date="2026-01-01")


def test_nothing_recorded_can_not_be_extended(lab) -> None:
    plan = make_plan(lab.add(), "smoke", lab.project)
    with pytest.raises(LabError, match="toy has no recorded runs at scale 'smoke'"):
        take_over(plan, lab.project)


def test_runs_made_with_other_libraries_are_refused(lab, monkeypatch) -> None:
    toy = recorded_toy(lab)
    monkeypatch.setattr(added_seeds, "libraries", lambda: {"python": "2.7"})
    with pytest.raises(LabError, match="made with other libraries"):
        take_over(make_plan(toy, "smoke", lab.project), lab.project)


def test_runs_whose_files_others_need_are_refused(lab) -> None:
    toy = recorded_toy(lab)
    lab.add(name="eager")
    lab.edit("eager", "run=run,", 'run=run, needs=("toy",),')
    with pytest.raises(LabError, match="lack the files that eager needs"):
        take_over(make_plan(toy, "smoke", lab.project), lab.project)


def test_the_command_takes_over_and_runs_the_rest(lab) -> None:
    recorded_toy(lab)
    with_three_seeds(lab)
    done = lab.llmlab("run", "toy", "--scale", "smoke", "--extend")
    assert done.returncode == 0, done.stderr
    assert "4 recorded runs reused" in done.stdout
    assert "6 runs, tables in" in done.stdout

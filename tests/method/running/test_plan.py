from dataclasses import fields as fields_of
from pathlib import Path

import pytest

from llmlab.method.declare.experiment import Experiment
from llmlab.method.declare.sweep import Sweep
from llmlab.method.errors import LabError
from llmlab.method.running import plan
from llmlab.method.running.plan import make_plan, parse_seeds, runs_together
from llmlab.method.running.runner import run_experiment


def test_all_trials_are_planned_and_those_of_some_seeds_chosen(lab) -> None:
    plan = make_plan(lab.add(), "laptop", lab.project, seeds=[2])
    assert len(plan.trials) == 9
    assert {trial.seed for trial in plan.chosen} == {2}
    assert plan.folder == lab.project.fresh("laptop", "toy")
    assert not plan.is_done


def test_workers_are_as_many_as_the_cores_carry(lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "available_cores", lambda: 5)
    lab.add()
    toy = lab.edit("toy", '{"pause": 0.0}', '{"pause": 0.0}, threads=1000')
    assert make_plan(toy, "smoke", lab.project).workers == 1
    assert make_plan(toy, "laptop", lab.project).workers == 5
    assert make_plan(toy, "laptop", lab.project, workers=7).workers == 7


def test_what_is_needed_is_looked_for_beside_the_output_first(lab, tmp_path: Path) -> None:
    base = lab.add(name="base")
    lab.add()
    toy = lab.edit("toy", "run=run", 'run=run, needs=["base"]')
    run_experiment(base, "smoke", lab.project, out=tmp_path)
    needs = make_plan(toy, "smoke", lab.project, out=tmp_path).trials[0].needs
    assert needs == {"base": tmp_path / "smoke" / "base" / "kept"}


def test_runs_take_turns_with_the_files_of_each_seed_that_was_kept_apart(
    lab, tmp_path: Path
) -> None:
    lab.add(name="base")
    base = lab.edit("base", "seeds=2", "seeds=2, kept_by_seed=True")
    lab.add()
    toy = lab.edit("toy", "run=run", 'run=run, needs=["base"]')
    toy = lab.edit("toy", "seeds=2", "seeds=3")
    run_experiment(base, "smoke", lab.project, out=tmp_path)
    found = make_plan(toy, "smoke", lab.project, out=tmp_path).trials
    kept = [(trial.seed, trial.needs["base"].name) for trial in found[:3]]
    assert kept == [(0, "seed-0"), (1, "seed-1"), (2, "seed-0")]
    assert {path.name for path in found[0].needs["base"].iterdir()} == {"0.txt"}


def test_only_a_sweep_on_a_gpu_is_run_together(lab, monkeypatch) -> None:
    plain = lab.add()
    fields = {field.name: getattr(plain, field.name) for field in fields_of(Experiment)}
    sweep = Sweep(**fields, describe=dict, together=dict)
    assert not runs_together(sweep)
    monkeypatch.setattr(plan, "visible_gpus", lambda: ("GPU-7",))
    assert not runs_together(plain)
    assert runs_together(sweep)


def test_the_plan_says_how_the_runs_go(lab) -> None:
    found = make_plan(lab.add(), "smoke", lab.project)
    assert found.way == "each run in its own process"


def test_a_seed_beyond_the_budget_is_refused(lab) -> None:
    with pytest.raises(LabError, match="toy has no seed 2 at scale 'smoke'; choose from 0 t"):
        make_plan(lab.add(), "smoke", lab.project, seeds=[2])


@pytest.mark.parametrize(
    ("text", "seeds"), [("0", (0,)), ("3,1", (1, 3)), ("0-2", (0, 1, 2)), ("0-1,4,1", (0, 1, 4))]
)
def test_seeds_are_numbers_and_ranges(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text", ["", "one", "2-1", "-1", "0,", "1-2-3", "0-9999999999", f"0-{'9' * 30}", "9" * 5000]
)
def test_what_is_no_seed_is_refused(text: str) -> None:
    with pytest.raises(LabError, match="does not name seeds; give numbers such as 0,1 or 0-4"):
        parse_seeds(text)

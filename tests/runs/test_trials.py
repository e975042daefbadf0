from conftest import Lab

from llmlab.method.running.plan import make_plan
from llmlab.method.running.runner import run_experiment
from llmlab.runs.folder import RunFolder
from llmlab.runs.log import LoggedEvent
from llmlab.runs.trials import MOST_POINTS, TrialLog, _thinned


def logged(lab: Lab) -> list[LoggedEvent]:
    return list(RunFolder(lab.project.fresh("smoke", "toy")).log.events())


def test_each_finished_run_is_a_line_also_for_a_call_that_carries_on(lab: Lab) -> None:
    toy = lab.add()
    log = TrialLog(make_plan(toy, "smoke", lab.project, seeds=[0]))
    run_experiment(toy, "smoke", lab.project, seeds=[0], report=log.note)
    first, *trials = logged(lab)
    assert (first.event, first.model_extra["trials"]) == ("run", 2)
    assert len({trial.model_extra["run_id"] for trial in trials}) == 2
    assert all(len(trial.model_extra["curves"]["loss"]) == 2 for trial in trials)
    TrialLog(make_plan(toy, "smoke", lab.project)).note(2, 4, "starting")
    again, *kept = logged(lab)
    assert again.model_extra["trials"] == 4
    assert sorted(map(repr, kept)) == sorted(map(repr, trials))


def test_a_long_curve_is_thinned_and_keeps_its_last_point() -> None:
    points = [(step, 1.0) for step in range(10_000)]
    found = _thinned(points)
    assert found[-1] == points[-1]
    assert MOST_POINTS <= len(found) <= 1.1 * MOST_POINTS

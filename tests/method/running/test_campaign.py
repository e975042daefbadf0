"""Campaigns: what comes first, and that they stop in time and go on where they stopped."""

import os

from llmlab.method.running import campaign
from llmlab.method.running.campaign import plan_campaign, run_campaign

SLOW = """
import time
from pathlib import Path

from llmlab.method.declare.experiment import Axis, Budget, Experiment, Metric, Outcome, Trial


def run(trial: Trial) -> Outcome:
    while trial.seed and not Path("go").exists():
        time.sleep(0.05)
    return Outcome({"score": float(trial.seed)})


EXPERIMENT = Experiment(
    name="NAME",
    title="Slow",
    question="Q-SLOW",
    summary="Waits.",
    axes=(Axis("dose", "Dose."),),
    metrics=(Metric("score", "Score.", "1"),),
    budgets={"smoke": Budget({"dose": [1.0]}, seeds=2)},
    run=run,
)
"""


def slow(name, needs=""):
    return SLOW.replace("NAME", name).replace("    run=run,\n", f"    run=run,\n{needs}")


def test_what_more_verdicts_want_comes_first_and_what_it_needs_before_it(lab):
    lab.add(slow("alone"), "alone")
    lab.add(slow("base"), "base")
    lab.add(slow("wanted", '    needs=("base",),\n'), "wanted")
    steps = plan_campaign(lab.project, "smoke", {"wanted": 5.0, "alone": 1.0})
    assert [step.experiment for step in steps] == ["base", "wanted", "alone"]
    assert [(step.runs, step.value) for step in steps] == [(2, 5.0), (2, 5.0), (2, 1.0)]


def test_a_campaign_stops_in_time_and_another_goes_on_from_there(lab, monkeypatch):
    for name, value in {"START_SECONDS": 0.1, "UNKNOWN_RUN_SECONDS": 0.1}.items():
        monkeypatch.setattr(campaign, name, value)
    monkeypatch.setattr(campaign, "ENDING_SECONDS", 0.5)
    monkeypatch.setenv("PYTHONPATH", os.fspath(lab.root / "src"))
    lab.add(slow("toy"), "toy")
    steps = plan_campaign(lab.project, "smoke", {})
    (stopped,) = run_campaign(lab.project, "smoke", steps, within=4.0)
    assert (stopped.experiment, stopped.problem, stopped.runs) == ("toy", "", 2)
    assert stopped.finished < 2
    (lab.root / "go").touch()
    (step,) = plan_campaign(lab.project, "smoke", {})
    assert step.runs == 2 - stopped.finished
    (done,) = run_campaign(lab.project, "smoke", [step], within=3.6e6)  # 1000 hours
    assert (done.finished, done.problem) == (step.runs, "")
    assert plan_campaign(lab.project, "smoke", {}) == []


def test_an_experiment_that_fails_says_why_and_stops_those_that_need_it(lab, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.fspath(lab.root / "src"))
    lab.add(slow("base").replace("while trial.seed", "1 / 0\n    while trial.seed"), "base")
    lab.add(slow("wanted", '    needs=("base",),\n'), "wanted")
    steps = plan_campaign(lab.project, "smoke", {})
    failed, left_out = run_campaign(lab.project, "smoke", steps, within=300.0)
    assert "division by zero" in failed.problem
    assert left_out.problem == "an experiment that it needs is missing"


def test_processes_are_one_for_each_gpu_and_one_without(monkeypatch):
    monkeypatch.setattr(campaign, "visible_gpus", lambda: ("0", "1"))
    assert campaign.processes() == 2
    monkeypatch.setattr(campaign, "visible_gpus", tuple)
    assert campaign.processes() == 1

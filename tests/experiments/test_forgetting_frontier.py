"""The frontier of forgetting: what a run measures, at which rate, and when it ends."""

import math
from pathlib import Path

import pytest

from llmlab.experiments.forgetting_frontier import EXPERIMENT, describe
from llmlab.finetune.study.tracking import tracked_run
from llmlab.method.declare.experiment import Trial


def trial(base: Path, name: str = "full", rate: float = 0.5) -> Trial:
    small = {"train_items": 40, "steps": 4, "look_every": 2, "look_items": 3, "suite_items": 5}
    settings = {**EXPERIMENT.budgets["smoke"].settings, **small}
    condition = {"method": name, "relative_rate": rate}
    return Trial(EXPERIMENT.name, "smoke", condition, 0, settings, {"base_model": base}, base)


def test_a_run_fills_every_column(untrained_base: Path) -> None:
    outcome = EXPERIMENT.run(trial(untrained_base))
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}


@pytest.mark.parametrize(("name", "rate"), [("full", 5e-4), ("lora-32", 2e-3)])
def test_a_rate_is_relative_to_that_of_its_method(untrained_base: Path, name, rate) -> None:
    assert describe(trial(untrained_base, name)).config.learning_rate == pytest.approx(rate)


@pytest.mark.parametrize(("target", "last"), [(0.0, 2), (1.1, 4)])
def test_a_run_ends_at_the_look_that_reaches_the_target(untrained_base, target, last) -> None:
    watched = tracked_run(describe(trial(untrained_base)), 2, 3, target)
    assert (watched.checks[-1].step, watched.history.points[-1].step) == (last, {2: 0, 4: 3}[last])


def test_a_run_that_diverges_has_no_metrics(untrained_base: Path) -> None:
    outcome = EXPERIMENT.run(trial(untrained_base, rate=math.inf))
    assert outcome.status == "diverged"
    assert all(math.isnan(value) for value in outcome.metrics.values())

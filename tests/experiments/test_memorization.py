import math

import pytest

from llmlab.experiments.memorization import EXPERIMENT
from llmlab.method.declare.experiment import Outcome


@pytest.fixture(scope="module")
def outcome(brief_trial) -> Outcome:
    return EXPERIMENT.run(brief_trial(EXPERIMENT))


def test_a_run_fills_every_column(outcome: Outcome) -> None:
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}


def test_the_gap_is_that_of_the_two_losses(outcome: Outcome) -> None:
    metrics = outcome.metrics
    assert metrics["gap"] == pytest.approx(metrics["validation_loss"] - metrics["train_loss"])
    assert metrics["rebound"] >= 0


def test_a_run_that_diverges_has_no_gap(brief_trial) -> None:
    outcome = EXPERIMENT.run(brief_trial(EXPERIMENT, learning_rate=1e30))
    assert outcome.status == "diverged"
    assert math.isnan(outcome.metrics["gap"])

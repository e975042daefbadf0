from pathlib import Path

import pytest

from llmlab.experiments.real_model import EXPERIMENT
from llmlab.method.declare.experiment import Outcome, Trial

SETTINGS = EXPERIMENT.budgets["smoke"].settings


def outcome_at(rate: float, **changes: object) -> Outcome:
    settings = {**SETTINGS, **changes}
    return EXPERIMENT.run(
        Trial(EXPERIMENT.name, "smoke", {"learning_rate": rate}, 0, settings, {}, Path())
    )


def test_a_run_fills_every_column() -> None:
    outcome = outcome_at(1e-3, steps=2)
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}


def test_at_a_rate_of_nothing_nothing_is_forgotten() -> None:
    assert outcome_at(1e-30, steps=1).metrics["forgetting"] == pytest.approx(0, abs=1e-6)

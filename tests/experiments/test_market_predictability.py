from collections.abc import Callable

import pytest

from llmlab.experiments.market_predictability import EXPERIMENT, MODELS
from llmlab.method.declare.experiment import Trial

Make = Callable[..., Trial]


@pytest.mark.parametrize("model", MODELS)
def test_a_run_fills_every_column(brief_trial: Make, model: str) -> None:
    outcome = EXPERIMENT.run(brief_trial(EXPERIMENT, model=model))
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}


def test_a_constant_gains_nothing(brief_trial: Make) -> None:
    metrics = EXPERIMENT.run(brief_trial(EXPERIMENT, model="constant")).metrics
    assert (metrics["gain"], metrics["brier_skill"]) == (0, 0)


def test_weekly_gains_have_the_mean_of_the_gain(brief_trial: Make) -> None:
    outcome = EXPERIMENT.run(brief_trial(EXPERIMENT, model="logistic"))
    weeks = [gain for _, gain in outcome.curves["weekly_gain"]]
    assert sum(weeks) / len(weeks) == pytest.approx(outcome.metrics["gain"], abs=1e-3)

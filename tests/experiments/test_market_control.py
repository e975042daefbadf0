from collections.abc import Callable

import pytest

from llmlab.experiments.market_control import EXPERIMENT
from llmlab.method.declare.experiment import Trial

Make = Callable[..., Trial]


def test_a_run_fills_every_column(brief_trial: Make) -> None:
    outcome = EXPERIMENT.run(brief_trial(EXPERIMENT, strength=0.0))
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert abs(outcome.metrics["expected_gain"]) < 0.02


def test_a_strong_signal_is_found_but_not_all_of_it(brief_trial: Make) -> None:
    metrics = EXPERIMENT.run(brief_trial(EXPERIMENT, strength=2.0)).metrics
    assert 0.2 < metrics["captured"] < 1
    assert metrics["expected_gain"] + metrics["excess"] == pytest.approx(metrics["attainable"])

from collections.abc import Callable

from llmlab.experiments.market_features import EXPERIMENT
from llmlab.method.declare.experiment import Trial

Make = Callable[..., Trial]


def test_a_run_fills_every_column(brief_trial: Make) -> None:
    outcome = EXPERIMENT.run(brief_trial(EXPERIMENT))
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert outcome.metrics["test_days"] > 200

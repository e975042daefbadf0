from collections.abc import Callable

from llmlab.experiments.market_data import EXPERIMENT
from llmlab.method.declare.experiment import Trial

Make = Callable[..., Trial]


def test_a_run_fills_every_column(brief_trial: Make) -> None:
    outcome = EXPERIMENT.run(brief_trial(EXPERIMENT))
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert outcome.metrics["test_days"] > 200


def test_other_assets_add_samples_and_no_test_days(brief_trial: Make) -> None:
    alone, both = (
        EXPERIMENT.run(brief_trial(EXPERIMENT, assets=assets)).metrics
        for assets in EXPERIMENT.budgets["smoke"].conditions["assets"]
    )
    assert both["train_samples"] > 3 * alone["train_samples"]
    assert both["test_days"] == alone["test_days"]

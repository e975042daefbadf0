from collections.abc import Callable, Mapping

import pytest

from llmlab.experiments.market_data import EXPERIMENT
from llmlab.method.declare.experiment import Trial

Metrics = Mapping[str, float]


@pytest.fixture(scope="module")
def metrics(brief_trial: Callable[..., Trial]) -> list[Metrics]:
    """Of a model that learned from the index alone, and of one that learned from all assets."""
    return [
        EXPERIMENT.run(brief_trial(EXPERIMENT, assets=assets)).metrics
        for assets in EXPERIMENT.budgets["smoke"].conditions["assets"]
    ]


def test_a_run_fills_every_column(metrics: list[Metrics]) -> None:
    for found in metrics:
        assert set(found) == {metric.name for metric in EXPERIMENT.metrics}
        assert found["test_days"] > 200


def test_other_assets_add_samples_and_no_test_days(metrics: list[Metrics]) -> None:
    alone, both = metrics
    assert both["train_samples"] > 3 * alone["train_samples"]
    assert both["test_days"] == alone["test_days"]

import pytest

from llmlab.experiments.optimizer import CHANGES, EXPERIMENT
from llmlab.method.declare.experiment import Outcome


@pytest.fixture(scope="module")
def outcomes(brief_trial) -> list[Outcome]:
    """Of the whole optimizer, then of each change."""
    return [EXPERIMENT.run(brief_trial(EXPERIMENT, change=name)) for name in CHANGES]


def test_a_run_fills_every_column(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
        assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}


def test_every_change_changes_the_run(outcomes: list[Outcome]) -> None:
    whole, *changed = (outcome.curves["loss"] for outcome in outcomes)
    assert [name for name, loss in zip(CHANGES[1:], changed, strict=True) if loss == whole] == []

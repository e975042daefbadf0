import pytest

from llmlab.experiments.optimizer import CHANGES, EXPERIMENT


def test_a_run_fills_every_column(brief_trial) -> None:
    outcome = EXPERIMENT.run(brief_trial(EXPERIMENT))
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}


@pytest.mark.parametrize("change", CHANGES[1:])
def test_every_change_changes_the_run(change: str, brief_trial) -> None:
    whole, changed = (
        EXPERIMENT.run(brief_trial(EXPERIMENT, change=name)) for name in ("none", change)
    )
    assert changed.curves["loss"] != whole.curves["loss"]

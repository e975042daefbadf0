from llmlab.experiments.optimizer import CHANGES, EXPERIMENT


def test_a_run_fills_every_column(brief_trial) -> None:
    outcome = EXPERIMENT.run(brief_trial(EXPERIMENT))
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}


def test_every_change_changes_the_run(brief_trial) -> None:
    runs = (EXPERIMENT.run(brief_trial(EXPERIMENT, change=name)) for name in CHANGES)
    whole, *changed = (run.curves["loss"] for run in runs)
    assert [name for name, loss in zip(CHANGES[1:], changed, strict=True) if loss == whole] == []

from dataclasses import replace

from llmlab.experiments.pretraining import EXPERIMENT


def test_a_run_fills_every_column_and_shows_what_it_writes(brief_trial) -> None:
    outcome = EXPERIMENT.run(brief_trial(EXPERIMENT, steps=20))
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}
    browser = outcome.views["checkpoints"]
    assert len(browser["steps"]) == len(outcome.curves["validation_loss"])


def test_only_the_first_seed_is_looked_into(brief_trial) -> None:
    assert EXPERIMENT.run(replace(brief_trial(EXPERIMENT, steps=20), seed=1)).views == {}

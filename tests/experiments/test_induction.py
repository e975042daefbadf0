from dataclasses import replace

from llmlab.experiments.induction import EXPERIMENT


def test_a_run_fills_every_column_and_shows_the_model(brief_trial) -> None:
    outcome = EXPERIMENT.run(brief_trial(EXPERIMENT, n_layers=2))
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}
    assert {view["kind"] for view in outcome.views.values()} == {
        "attention",
        "logit_lens",
        "activations",
    }


def test_scores_are_shares_of_attention(brief_trial) -> None:
    metrics = EXPERIMENT.run(replace(brief_trial(EXPERIMENT), seed=1)).metrics
    assert 0 <= metrics["induction"] <= 1
    assert 0 <= metrics["previous_token"] <= 1

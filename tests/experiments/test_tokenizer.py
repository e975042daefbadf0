import pytest

from llmlab.experiments.tokenizer import EXPERIMENT
from llmlab.method.declare.experiment import Outcome


@pytest.fixture(scope="module")
def outcomes(brief_trial) -> list[Outcome]:
    """Of a vocabulary of bytes, and of one twice as large."""
    return [EXPERIMENT.run(brief_trial(EXPERIMENT, vocab_size=size)) for size in (257, 512)]


def test_a_run_fills_every_column(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
        assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}


def test_vocabularies_are_compared_over_the_same_bytes(outcomes: list[Outcome]) -> None:
    small, large = outcomes
    assert small.metrics["bytes_per_token"] == pytest.approx(1, abs=0.01)
    assert large.metrics["bytes_per_token"] > 1.2
    read = [o.tokens * o.metrics["bytes_per_token"] for o in outcomes]
    assert read[0] == pytest.approx(read[1], rel=0.05)

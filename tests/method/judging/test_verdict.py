"""The word of a verdict, and the reason for it."""

from dataclasses import replace

import pytest
from doses import HYPOTHESIS, JUDGEMENT

from llmlab.method.judging.corrections import corrected
from llmlab.method.judging.verdict import decide


def decided(hypothesis, judgement):
    """The word and reason on a judgement that is alone in its family."""
    adjusted = corrected([hypothesis], {hypothesis.id: judgement}, {hypothesis.id: 1})
    return decide(hypothesis, judgement, adjusted[hypothesis.id])


def test_a_best_level_at_the_edge_of_the_grid_decides_nothing():
    sure = replace(JUDGEMENT, p_supported=1e-9)
    assert decided(HYPOTHESIS, sure)[0] == "SUPPORTED"
    remedy = "the grid of dose must extend to at least 4"
    word, reason = decided(HYPOTHESIS, replace(sure, open_end=remedy))
    assert word == "UNDECIDED"
    assert reason.endswith(f"is not decisive: {remedy}.")


@pytest.mark.parametrize(
    ("per_seed", "word"),
    [((0.5, 0.6), "SUPPORTED"), ((0.4, 0.4), "REFUTED"), ((0.4, 0.6), "UNDECIDED")],
)
def test_a_check_asks_each_seed_and_has_no_p_value(per_seed, word):
    check = replace(HYPOTHESIS, kind="check")
    judgement = replace(JUDGEMENT, per_seed=per_seed, p_supported=None, p_refuted=None)
    assert decided(check, judgement)[0] == word

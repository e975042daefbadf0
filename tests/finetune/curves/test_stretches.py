import math

from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.curves.stretches import not_finite, zeros


def test_a_gap_at_the_end_is_never_over() -> None:
    (gap,) = not_finite(Curve.of([(0, 2.0), (10, math.inf), (20, math.nan)]))
    assert (gap.first, gap.over_at) == (10, None)


def test_zero_counts_only_where_the_loss_was_not_near_it() -> None:
    assert zeros(Curve.of([(0, 2.0), (1, 0.05), (2, 0.0), (3, 0.04)])) == ()
    (found,) = zeros(Curve.of([(0, 2.0), (1, 1.9), (2, 0.0), (3, 1.8)]))
    assert (found.first, found.over_at) == (2, 3)

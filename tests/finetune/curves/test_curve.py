import math

import pytest

from llmlab.finetune.curves.curve import Curve


def test_points_become_a_curve() -> None:
    curve = Curve.of([(0, 2.0), (5, 1.0)])
    assert (curve.steps, curve.values) == ((0, 5), (2.0, 1.0))


def test_a_curve_needs_points() -> None:
    with pytest.raises(ValueError, match="needs points"):
        Curve.of([])


def test_steps_must_rise() -> None:
    with pytest.raises(ValueError, match="must rise"):
        Curve.of([(1, 2.0), (1, 1.0)])


def test_finite_leaves_out_what_broke() -> None:
    assert Curve.of([(0, 2.0), (1, math.inf), (2, math.nan)]).finite() == Curve.of([(0, 2.0)])


def test_nothing_finite_is_none() -> None:
    assert Curve.of([(0, math.nan)]).finite() is None


def test_between_holds_both_ends() -> None:
    curve = Curve.of([(step, float(step)) for step in range(10)])
    assert curve.between(2, 4).steps == (2, 3, 4)

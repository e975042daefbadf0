import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.curves.shapes import (
    divergence,
    early_rise,
    halfway,
    level_at_end,
    overfitting,
    plateau,
    rise,
    validation_divergence,
)
from llmlab.finetune.curves.stretches import not_finite
from tests.finetune.curves.synthetic import SEEDS, STEPS, elbow, noisy, power_law


@given(SEEDS, st.integers(50, 300))
def test_a_plateau_begins_where_the_fall_ends(seed: int, at: int) -> None:
    found = plateau(noisy(elbow(at), seed))
    assert found is not None
    assert found.step == pytest.approx(at, abs=25)
    assert found.level == pytest.approx(2.0, abs=0.03)


@given(SEEDS)
def test_a_steady_fall_has_no_plateau(seed: int) -> None:
    assert plateau(noisy(5 - STEPS / 100, seed)) is None


@given(SEEDS)
def test_a_flat_curve_is_a_plateau_from_its_start(seed: int) -> None:
    found = plateau(noisy(np.full(400, 3.0), seed))
    assert found is not None
    assert found.share < 0.2


@given(st.integers(1, 399))
def test_a_run_diverges_where_its_loss_stops_being_finite(at: int) -> None:
    values = power_law()
    values[at:] = math.nan
    assert divergence(Curve.of(enumerate(values))).step == at


@given(SEEDS)
def test_a_loss_that_ends_above_its_start_has_diverged(seed: int) -> None:
    found = divergence(noisy(3 + ((STEPS - 100) / 100) ** 2, seed))
    assert found.step == pytest.approx(100, abs=40)
    assert found.last > 10


@given(SEEDS)
def test_a_fall_does_not_diverge(seed: int) -> None:
    assert divergence(noisy(power_law(), seed)) is None


@given(SEEDS, st.integers(60, 300))
def test_overfitting_begins_where_validation_turns(seed: int, at: int) -> None:
    turning = 2 + np.abs(STEPS - at) / 100
    found = overfitting(noisy(5 - STEPS / 100, seed), noisy(turning, seed + 1))
    if turning[-1] > 2.4:
        assert found.step == pytest.approx(at, abs=15)
        assert found.last > found.lowest


@given(SEEDS)
def test_two_losses_that_rise_together_are_no_overfitting(seed: int) -> None:
    turning = 2 + np.abs(STEPS - 150) / 100
    assert overfitting(noisy(turning + 1, seed), noisy(turning, seed + 1)) is None


@given(SEEDS)
def test_two_losses_that_fall_together_are_no_overfitting(seed: int) -> None:
    assert overfitting(noisy(power_law(), seed), noisy(power_law(), seed + 1)) is None


def test_an_early_rise_says_how_high() -> None:
    found = early_rise(Curve.of([(0, 4.0), (1, 6.0), (2, 3.0), (100, 1.0)]))
    assert (found.step, found.start, found.peak) == (1, 4.0, 6.0)


def test_a_late_rise_is_not_early() -> None:
    assert early_rise(Curve.of([(0, 4.0), (1, 3.0), (50, 6.0), (100, 1.0)])) is None


@given(st.floats(0.1, 100), st.floats(1, 100))
def test_a_straight_fall_is_half_done_in_the_middle(slope: float, start: float) -> None:
    line = Curve.of((step, start - slope * step) for step in range(101))
    assert halfway(line) == pytest.approx(0.5, abs=0.011)


def test_an_elbow_is_half_done_early() -> None:
    assert halfway(Curve.of(enumerate(elbow(20)))) == pytest.approx(10 / 399, abs=0.005)


def test_nothing_that_falls_is_never_half_done() -> None:
    assert halfway(Curve.of(enumerate(range(10)))) == 1


def test_the_level_at_the_end_is_that_of_the_last_tenth() -> None:
    assert level_at_end(Curve.of(enumerate([9.0] * 90 + [1.0] * 11))) == 1


@pytest.mark.parametrize("detect", [plateau, divergence])
def test_a_curve_of_one_point_has_no_events(detect) -> None:
    assert not detect(Curve.of([(0, 1.0)]))


def test_a_curve_without_a_finite_value_has_no_plateau() -> None:
    assert plateau(Curve.of([(0, math.nan), (1, math.nan)])) is None


@given(SEEDS, st.integers(1, 390), st.integers(1, 9))
def test_a_gap_that_closes_is_no_divergence(seed: int, at: int, points: int) -> None:
    values = noisy(power_law(), seed).y
    values[at : at + points] = math.nan
    curve = Curve.of(enumerate(values))
    assert divergence(curve) is None
    (gap,) = not_finite(curve)
    assert (gap.first, gap.last, gap.points) == (at, at + points - 1, points)
    assert gap.over_at == at + points


def test_a_run_that_flickers_into_nan_diverges_where_most_values_are_lost() -> None:
    values = power_law()
    values[100] = math.nan
    values[300:] = math.nan
    values[[320, 350]] = 1.5
    assert divergence(Curve.of(enumerate(values))).step == 300


def test_a_rise_says_where_it_began() -> None:
    found = rise(noisy(2 + np.abs(STEPS - 250) / 100))
    assert found.step == pytest.approx(250, abs=25)
    assert rise(noisy(power_law())) is None


@given(st.lists(st.floats(0.01, 1), min_size=4, max_size=40), st.floats(0.1, 10))
def test_a_curve_that_only_falls_never_rises(falls: list[float], end: float) -> None:
    values = end + np.append(np.cumsum(falls[::-1])[::-1], 0)
    curve = Curve.of(enumerate(values.tolist()))
    assert rise(curve, smallest=0) is None
    assert divergence(curve) is None


@pytest.mark.parametrize(
    "values", [[2.0, 1.9, 1.85, 1.82, 1.81], [3.0, 2.0, 1.5, 1.3, 1.29, 1.285]], ids=str
)
def test_a_few_points_at_the_end_are_no_plateau(values: list[float]) -> None:
    assert plateau(Curve.of(enumerate(values))) is None


def test_a_validation_loss_diverges_only_if_training_does_not_fall() -> None:
    rising = noisy(2 + STEPS / 100)
    assert validation_divergence(noisy(power_law()), rising) is None
    assert validation_divergence(noisy(rising.y), rising) is not None
    assert validation_divergence(None, rising) is not None

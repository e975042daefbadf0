import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from llmlab.finetune.curves.smoothing import ema, noise_level, resolution, running_median

VALUES = arrays(float, st.integers(1, 60), elements=st.floats(-100, 100))
WIDTHS = st.integers(0, 20).map(lambda half: 2 * half + 1)


@given(st.floats(-100, 100), st.floats(0, 0.999), st.integers(1, 50))
def test_the_average_of_a_constant_is_that_constant(value: float, beta: float, n: int) -> None:
    np.testing.assert_allclose(ema([value] * n, beta), value, rtol=1e-9, atol=1e-9)


@given(VALUES, st.floats(0, 0.99))
def test_an_average_stays_within_what_was_seen(values: np.ndarray, beta: float) -> None:
    lows, highs = np.minimum.accumulate(values), np.maximum.accumulate(values)
    averages = ema(values, beta)
    assert np.all(averages >= lows - 1e-6)
    assert np.all(averages <= highs + 1e-6)


def test_the_average_has_the_weights_of_the_formula() -> None:
    assert ema([1.0, 4.0], 0.5)[1] == pytest.approx((0.25 * 1 + 0.5 * 4) / 0.75)


def test_beta_must_be_below_one() -> None:
    with pytest.raises(ValueError, match="beta"):
        ema([1.0], 1.0)


@given(VALUES, WIDTHS)
def test_a_curve_that_only_falls_is_its_own_median(values: np.ndarray, width: int) -> None:
    falling = np.sort(values)[::-1]
    np.testing.assert_array_equal(running_median(falling, width), falling)


@given(WIDTHS.filter(lambda width: width >= 3), st.integers(1, 38))
def test_one_outlier_leaves_no_trace(width: int, place: int) -> None:
    values = np.zeros(40)
    values[place] = 100.0
    np.testing.assert_array_equal(running_median(values, width), np.zeros(40))


def test_the_width_must_be_odd() -> None:
    with pytest.raises(ValueError, match="odd"):
        running_median([1.0, 2.0], 2)


@given(st.integers(0, 1000), st.floats(0.01, 10))
def test_noise_is_found_beneath_a_steep_fall(seed: int, spread: float) -> None:
    draw = np.random.default_rng(seed)
    values = np.linspace(100, 0, 2000) + draw.normal(0, spread, 2000)
    assert noise_level(values) == pytest.approx(spread, rel=0.15)


@given(st.floats(-10, 10), st.floats(-10, 10))
def test_a_straight_line_has_no_noise(start: float, slope: float) -> None:
    assert noise_level(start + slope * np.arange(20)) == pytest.approx(0, abs=1e-9)


def test_too_few_values_have_none() -> None:
    assert noise_level([1.0, 2.0]) == 0


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@given(st.integers(1, 5), st.integers(0, 100))
def test_the_digits_of_printed_values_are_found(kind: type, digits: int, seed: int) -> None:
    values = np.round(np.random.default_rng(seed).uniform(1, 9, 50), digits)
    assert resolution(values.astype(kind)) == pytest.approx(10.0**-digits)


def test_values_that_were_not_rounded_have_no_last_digit() -> None:
    assert resolution(np.random.default_rng(0).uniform(1, 9, 50)) == 0

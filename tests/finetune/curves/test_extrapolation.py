import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.curves.extrapolation import fit_power_law

STEPS = np.arange(1, 301)


def law(a: float, b: float, c: float, spread: float = 0.0, seed: int = 0) -> Curve:
    noise = np.random.default_rng(seed).normal(0, 1, len(STEPS))
    return Curve.of(zip(STEPS, a + b * STEPS**-c + spread * noise, strict=True))


@given(st.floats(0, 5), st.floats(0.5, 10), st.floats(0.2, 1.5))
def test_a_law_without_noise_is_found(a: float, b: float, c: float) -> None:
    found = fit_power_law(law(a, b, c))
    assert (found.a, found.b, found.c) == pytest.approx((a, b, c), rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("c", [0.3, 0.5, 1.0])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(c: float) -> None:
    covered = 0
    for seed in range(100):
        forecast = fit_power_law(law(1.0, 3.0, c, spread=0.05, seed=seed)).at(1000)
        covered += forecast.low <= 1.0 + 3.0 * 1000**-c <= forecast.high
    assert covered >= 88


def test_the_interval_is_not_wider_than_it_has_to_be() -> None:
    found = fit_power_law(law(1.0, 3.0, 0.5, spread=0.05)).at(1000)
    assert found.high - found.low < 0.2


def test_the_spread_is_that_of_the_noise() -> None:
    assert fit_power_law(law(1.0, 3.0, 0.5, spread=0.05)).spread == pytest.approx(0.05, rel=0.15)


def test_a_rise_is_no_power_law() -> None:
    assert fit_power_law(Curve.of((step, float(step)) for step in range(1, 50))) is None


def exponential(spread: float) -> Curve:
    noise = np.random.default_rng(0).normal(0, 1, len(STEPS))
    return Curve.of(zip(STEPS, 1 + 5 * np.exp(-STEPS / 30) + spread * noise, strict=True))


@pytest.mark.parametrize("spread", [0.0, 0.05])
def test_an_exponential_is_no_power_law(spread: float) -> None:
    assert fit_power_law(exponential(spread)) is None


@given(st.floats(0, 2), st.floats(0.05, 0.2), st.integers(0, 9))
def test_no_loss_is_foretold_below_zero(a: float, c: float, seed: int) -> None:
    found = fit_power_law(law(a, 5.0, c, spread=0.05, seed=seed))
    assert found is None or found.at(10**6).value >= 0


def test_a_few_points_are_not_enough() -> None:
    assert fit_power_law(Curve.of([(1, 3.0), (2, 2.0), (3, 1.5)])) is None

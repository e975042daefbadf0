"""The gates of the fitter: another optimizer agrees, a bad objective does not, truth is covered."""

import math
from functools import cache

import numpy as np
import pytest
from scipy.optimize import least_squares, minimize
from scipy.stats import norm

from llmlab.market.fits.fitting import (
    LEVEL,
    Fit,
    corrected_ends,
    fit_law,
    intervals,
    optimum,
    rivals,
    starts,
)
from llmlab.market.fits.law import HUBER_DELTA, Objective, Runs, residuals
from llmlab.market.fits.public import public_runs

TRUTH = {"E": 1.8, "A": 480.0, "alpha": 0.35, "B": 2000.0, "beta": 0.37}


def grid_runs(spread: float, seed: int = 0, n: int = 6) -> Runs:
    """n x n runs from the law of `TRUTH`, their loss off by a factor with this spread."""
    params, tokens = (
        axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e10, n), np.geomspace(1e8, 1e11, n))
    )
    loss = TRUTH["E"] + TRUTH["A"] / params ** TRUTH["alpha"] + TRUTH["B"] / tokens ** TRUTH["beta"]
    noise = np.random.default_rng(seed).normal(0, spread, n * n)
    return Runs({"params": params, "tokens": tokens}, loss * np.exp(noise))


EVALUATION_SETS = ("c4_val", "paloma_c4_en", "openlm")


@cache
def fitted(evaluation_set: str) -> Fit:
    return fit_law(public_runs(evaluation_set))


@pytest.fixture
def public() -> Fit:
    return fitted("c4_val")


def by_least_squares(runs: Runs, start_SP: np.ndarray) -> np.ndarray:
    """The best that scipy's `least_squares` with a Huber loss finds."""
    tries = [
        least_squares(
            lambda theta: residuals(theta[None], runs.x_TM, runs.y_M[None])[0][0],
            start,
            loss="huber",
            f_scale=HUBER_DELTA,
            ftol=1e-12,
            xtol=1e-12,
            gtol=1e-12,
        )
        for start in start_SP
    ]
    return min(tries, key=lambda found: found.cost).x


def resampled(runs: Runs, seed: int) -> Runs:
    """As many runs, drawn with replacement."""
    rows = np.random.default_rng(seed).integers(0, len(runs), len(runs))
    sizes = {name: size_M[rows] for name, size_M in runs.sizes.items()}
    return Runs(sizes, runs.loss_M[rows])


def moved(theta_P: np.ndarray, runs: Runs, other: Runs) -> np.ndarray:
    """The same law in parameters that are centred on the sizes of other runs."""
    shift_T = [
        np.log(other.sizes[name]).mean() - np.log(size).mean() for name, size in runs.sizes.items()
    ]
    found = theta_P.copy()
    found[1::2] -= found[2::2] * shift_T
    return found


def agrees(fit: Fit, theta_P: np.ndarray) -> bool:
    """Whether parameters found otherwise lie inside the intervals of the fit, near its values."""
    others = fit.runs.plain(theta_P[None])
    return all(
        found.low <= others[name][0] <= found.high
        and others[name][0] == pytest.approx(found.value, rel=0.02)
        for name, found in fit.parameters.items()
    )


@pytest.mark.parametrize("evaluation_set", EVALUATION_SETS)
def test_least_squares_from_the_same_starts_agrees_on_public_models(evaluation_set: str) -> None:
    fit = fitted(evaluation_set)
    assert agrees(fit, by_least_squares(fit.runs, starts(fit.runs, 8)))


@pytest.mark.parametrize("evaluation_set", EVALUATION_SETS)
def test_values_lie_inside_the_intervals_of_least_squares(evaluation_set: str) -> None:
    """Its intervals come from twenty resamples, each fitted by `least_squares`."""
    fit = fitted(evaluation_set)
    tables = [resampled(fit.runs, seed) for seed in range(20)]
    begun = [moved(fit.optimum.theta_P, fit.runs, table)[None] for table in tables]
    drawn = [
        table.plain(by_least_squares(table, start_SP)[None])
        for table, start_SP in zip(tables, begun, strict=True)
    ]
    for name, found in fit.parameters.items():
        low, high = np.quantile([one[name][0] for one in drawn], [0.025, 0.975])
        assert low <= found.value <= high


def test_an_unscaled_mean_with_default_tolerance_does_not_agree(public: Fit) -> None:
    """The known mistake: L-BFGS stops at once, since the mean of small losses hardly changes."""
    runs = public.runs
    logs_TM = np.log(np.stack([*runs.sizes.values()]))
    mean = Objective(logs_TM, runs.y_M[None], np.full((1, len(runs)), 1 / len(runs)))
    grid = [(0.0, a, alpha, a, alpha) for a in (5.0, 15.0) for alpha in (0.5, 1.0)]
    tries = [
        minimize(
            lambda theta: [part[0] for part in mean(theta[None])],
            start,
            jac=True,
            method="L-BFGS-B",
        )
        for start in grid
    ]
    best = min(tries, key=lambda found: found.fun).x
    centred = best.copy()
    centred[1::2] -= best[2::2] * logs_TM.mean(axis=1)
    assert not agrees(public, centred)


def test_the_optimum_is_that_of_all_starts(public: Fit) -> None:
    assert public.starts >= 150
    assert public.optimum.reached > 0.4


def test_public_models_scale_with_both_sizes(public: Fit) -> None:
    assert public.rivals[0].name == "params and tokens"
    assert public.parameters["alpha"].low > 0.1


def test_runs_without_noise_give_the_law_back() -> None:
    found = fit_law(grid_runs(0.0), resamples=20).parameters
    assert {name: one.value for name, one in found.items()} == pytest.approx(TRUTH, rel=1e-3)


@pytest.mark.parametrize("size", ["params", "tokens"])
def test_one_size_is_fitted_alone(size: str) -> None:
    size_M = np.geomspace(1e3, 1e8, 12)
    found = fit_law(Runs({size: size_M}, 0.5 + 30 / size_M**0.5), resamples=20).parameters
    assert [one.value for one in found.values()] == pytest.approx([0.5, 30, 0.5], rel=1e-3)


def test_flat_wins_mostly_where_nothing_falls() -> None:
    """Chance lets another form win now and then; in whose favour depends on the processor."""
    runs = grid_runs(0.0)
    noise_KM = np.random.default_rng(0).normal(0, 0.01, (12, len(runs)))
    found = [rivals(Runs(runs.sizes, 2 * np.exp(noise_M)), 8)[0].name for noise_M in noise_KM]
    assert found.count("flat") >= 9


@pytest.mark.parametrize("below", [0.3, 0.5, 0.62])
def test_ends_move_by_twice_the_distance_from_the_median_of_the_draws_to_the_value(
    below: float,
) -> None:
    """Of draws that are normal after some transformation, here the shares themselves."""
    drawn_S = np.arange(1, 1000) / 1000
    shift, reach = 2 * norm.ppf(below), norm.ppf((1 + LEVEL) / 2)
    expected = norm.cdf([shift - reach, shift + reach])
    assert corrected_ends(below, drawn_S) == pytest.approx(expected, abs=2e-3)


def test_of_draws_on_both_sides_alike_the_ends_leave_out_as_many_as_the_level_says() -> None:
    drawn_S = np.random.default_rng(0).permutation(39).astype(float)
    assert corrected_ends(19.0, drawn_S) == pytest.approx((0, 38))


def test_draws_that_equal_the_value_are_its_interval() -> None:
    assert corrected_ends(2.0, np.full(20, 2.0)) == (2.0, 2.0)


@pytest.mark.parametrize("value", [-5.0, 45.0])
def test_an_interval_holds_its_value(value: float) -> None:
    low, high = corrected_ends(value, np.arange(39.0))
    assert low <= value <= high


def test_a_resample_that_failed_does_not_count() -> None:
    drawn_S = np.arange(39.0)
    with_failed_S = np.append(drawn_S, math.nan)
    assert corrected_ends(15.0, with_failed_S) == corrected_ends(15.0, drawn_S)


def test_intervals_are_the_same_for_the_same_seed(public: Fit) -> None:
    one, same, other = (intervals(public.runs, public.optimum, 20, seed) for seed in (1, 1, 2))
    assert one == same
    assert one["alpha"].low != other["alpha"].low


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """Forty tables; the experiment scaling_fit makes thousands."""
    n_tables, n_resamples = 40, 40
    covered = np.zeros(5)
    for seed in range(n_tables):
        runs = grid_runs(0.01, seed)
        found = intervals(runs, optimum(runs, 4), n_resamples, seed)
        covered += [found[name].low <= true <= found[name].high for name, true in TRUTH.items()]
    # 95 % less 2.4 standard errors of 40 tables, and for so few resamples
    assert (covered / n_tables).min() >= 0.86

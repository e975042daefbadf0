"""Fit a law to runs: from many starts, with bootstrap intervals, and with simpler rivals."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import qmc

from llmlab.market.fits.descent import minimise
from llmlab.market.fits.law import Array, Objective, Runs, residuals

STARTS = 160
RESAMPLES = 200
LEVEL = 0.95
"""Starts of a fit, bootstrap resamples, and the level of its intervals."""
REACHED = 1e-4
"""A start has reached the optimum if its value exceeds it by at most this share."""
LOOSE, TIGHT = 1e-6, 1e-12
"""Tolerances of the optimiser: for single starts and resamples, and for the optimum."""
NO_SPREAD = 1e-9
"""Mean residual of the log loss that counts as zero, since rounding leaves as much."""


@dataclass(frozen=True)
class Optimum:
    """The best result of all starts.

    Attributes:
        theta_P: parameters as in `law`, for centred logarithms of the sizes.
        value: the sum of Huber losses there.
        reached: share of the starts that reached it.
    """

    theta_P: Array
    value: float
    reached: float


@dataclass(frozen=True)
class Interval:
    """A parameter with the ends of its bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Rival:
    """One form of the law, and its fit to the runs.

    Attributes:
        name: "flat", "params", "tokens" or "params and tokens".
        error: mean absolute residual of the log loss.
        bic: Bayesian information criterion; lower is better.
    """

    name: str
    error: float
    bic: float


@dataclass(frozen=True)
class Fit:
    """A fitted law.

    Attributes:
        parameters: E, and those of A, alpha, B, beta that belong to the given sizes.
        residuals_M: predicted minus measured log loss of each run.
        rivals: all forms that the runs allow, best first.
    """

    runs: Runs
    optimum: Optimum
    parameters: dict[str, Interval]
    residuals_M: Array
    rivals: tuple[Rival, ...]
    level: float = LEVEL
    starts: int = STARTS
    resamples: int = RESAMPLES


def fit_law(
    runs: Runs, *, n_starts: int = STARTS, resamples: int = RESAMPLES, seed: int = 0
) -> Fit:
    """Fit E + A / N^alpha + B / D^beta, or those of its terms for which `runs` has sizes.

    Args:
        resamples: number of samples of the runs with replacement, for the intervals.
    """
    best = optimum(runs, n_starts)
    left_M = residuals(best.theta_P[None], runs.x_TM, runs.y_M[None])[0][0]
    parameters = intervals(runs, best, resamples, seed)
    return Fit(runs, best, parameters, left_M, rivals(runs), LEVEL, n_starts, resamples)


def intervals(runs: Runs, best: Optimum, resamples: int, seed: int = 0) -> dict[str, Interval]:
    """The parameters at an optimum, with `corrected_ends` over resamples of the runs."""
    point = runs.plain(best.theta_P[None])
    drawn = runs.plain(bootstrap(runs, best.theta_P, resamples, seed))
    return {
        name: Interval(float(value), *corrected_ends(float(value), drawn[name]))
        for name, (value,) in point.items()
    }


def corrected_ends(value: float, drawn_S: Array) -> tuple[float, float]:
    """Bias-corrected percentiles of what a bootstrap draws for a parameter of this value.

    With a Huber delta far below the noise a fit is nearly one of medians: it jumps from run to run,
    and its resamples scatter around a smoother centre. Plain percentiles stay around that centre,
    which is nearer to the truth than the fit, so they cover more than they say. The correction
    moves them by twice the distance from the median of the draws to the value, on the scale where
    the draws are normal: Efron 1981, "Nonparametric standard errors and confidence intervals";
    Efron and Tibshirani 1993, section 14.3, there with an acceleration, whose jackknife fails for
    medians. The end for a share p is the (S + 1) p-th of S draws (Davison and Hinkley 1997,
    section 5.2); otherwise intervals over few draws would be too narrow. Draws that failed do not
    count, and a value beyond all others is an end itself.
    """
    drawn_S = drawn_S[~np.isnan(drawn_S)]
    below = np.mean(drawn_S < value) + np.mean(drawn_S == value) / 2
    reach = ndtri((1 + LEVEL) / 2)
    shares = ndtr(2 * ndtri(below) + np.array([-reach, reach]))
    low, high = np.quantile(drawn_S, shares, method="weibull")
    return min(value, float(low)), max(value, float(high))


def optimum(runs: Runs, n_starts: int = STARTS) -> Optimum:
    """The lowest sum of Huber losses that L-BFGS reaches from `n_starts` starts."""
    objective = Objective.of(runs)
    theta_SP, value_S = minimise(objective, starts(runs, n_starts), tolerance=LOOSE)
    best_S = [int(np.nanargmin(value_S))]
    theta_1P, value_1 = minimise(objective, theta_SP[best_S], tolerance=TIGHT)
    reached = np.mean(value_S <= value_1[0] * (1 + REACHED) + TIGHT)
    return Optimum(theta_1P[0], float(value_1[0]), float(reached))


def starts(runs: Runs, n_starts: int) -> Array:
    """Points of a Sobol sequence over the plausible range, [S, P]; deterministic.

    The floor is between a fifth of the lowest loss and that loss; each term, at runs of mean size,
    between a twentieth of the mean loss and that loss; each exponent between 0 and 1.2.
    """
    n_terms = len(runs.sizes)
    unit_SP = qmc.Sobol(1 + 2 * n_terms, rng=0).random_base2((n_starts - 1).bit_length())
    unit_SP = unit_SP[:n_starts]
    start_SP = np.empty_like(unit_SP)
    start_SP[:, 0] = runs.y_M.min() - np.log(5) * unit_SP[:, 0]
    start_SP[:, 1::2] = runs.y_M.mean() - np.log(20) * unit_SP[:, 1::2]
    start_SP[:, 2::2] = 1.2 * unit_SP[:, 2::2]
    return start_SP


def bootstrap(runs: Runs, theta_P: Array, resamples: int, seed: int = 0) -> Array:
    """The parameters fitted to `resamples` samples of the runs, [S, P], starting at `theta_P`."""
    n = len(runs)
    counts_SM = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    objective = Objective.of(runs, counts_SM.astype(float))
    return minimise(objective, np.repeat(theta_P[None], resamples, axis=0), tolerance=LOOSE)[0]


def rivals(runs: Runs, n_starts: int = 32) -> tuple[Rival, ...]:
    """Fit every form with some of the terms, from none ("flat") to all; best first."""
    names = list(runs.sizes)
    forms = [some for size in range(len(names) + 1) for some in combinations(names, size)]
    found = [_rival(runs.only(*form), n_starts) for form in forms]
    return tuple(sorted(found, key=lambda rival: rival.bic))


def _rival(runs: Runs, n_starts: int) -> Rival:
    """Fit one form; BIC (Schwarz 1978) with the Laplace errors that a small Huber delta implies."""
    theta_P, n = optimum(runs, n_starts).theta_P, len(runs)
    left_M = residuals(theta_P[None], runs.x_TM, runs.y_M[None])[0][0]
    error = float(np.abs(left_M).mean())
    bic = 2 * n * np.log(max(error, NO_SPREAD)) + len(theta_P) * np.log(n)
    return Rival(" and ".join(runs.sizes) or "flat", error, float(bic))

"""Statistics for few paired seeds: plain functions on numpy arrays.

With five to ten seeds the t test decides and a bootstrap interval is only a second opinion: the
usual bootstrap intervals of a mean are less accurate than t intervals in small samples (Hesterberg
2015, The American Statistician 69, 371-386).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint

RESAMPLES = 9_999
"""Bootstrap resamples: with the observed sample, ten thousand."""


@dataclass(frozen=True)
class Estimate:
    """A number with the interval that covers the truth with probability `level`, from n values."""

    value: float
    low: float
    high: float
    level: float
    n: int


def is_constant(values: ArrayLike) -> bool:
    """Whether all values are equal up to rounding."""
    values = np.asarray(values, dtype=float)
    return bool(np.ptp(values) <= 1e-12 * max(1.0, float(np.abs(values).max())))


def mean_interval(values: ArrayLike, level: float) -> Estimate:
    """The mean and its t interval; needs two values or more."""
    values = np.asarray(values, dtype=float)
    mean = float(values.mean())
    half = float(stats.t.ppf((1 + level) / 2, len(values) - 1) * stats.sem(values))
    return Estimate(mean, mean - half, mean + half, level, len(values))


def bootstrap_interval(values: ArrayLike, level: float, seed: int = 0) -> tuple[float, float]:
    """The bias-corrected, accelerated (BCa) bootstrap interval of the mean."""
    values = np.asarray(values, dtype=float)
    if is_constant(values):
        return float(values.mean()), float(values.mean())
    interval = stats.bootstrap(
        (values,),
        np.mean,
        confidence_level=level,
        n_resamples=RESAMPLES,
        method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def p_above(values: ArrayLike, bound: float) -> float:
    """One-sided p value of "the mean lies above `bound`": the t test of one sample.

    Where all values are equal there is no t statistic, and the exact sign test takes its place:
    p is then at least 1 / 2^n instead of 0.
    """
    values = np.asarray(values, dtype=float)
    if is_constant(values):
        above = int(np.sum(values > bound))
        return float(stats.binomtest(above, len(values), alternative="greater").pvalue)
    return float(stats.ttest_1samp(values, bound, alternative="greater").pvalue)


def p_below(values: ArrayLike, bound: float) -> float:
    """One-sided p value of "the mean lies below `bound`"; see `p_above`."""
    return p_above(-np.asarray(values, dtype=float), -bound)


def p_within(values: ArrayLike, margin: float) -> float:
    """P value of "the mean lies within plus or minus `margin`": two one-sided tests (TOST).

    Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15, 657-680.
    """
    return max(p_above(values, -margin), p_below(values, margin))


def p_outside(values: ArrayLike, margin: float) -> float:
    """P value of "the mean lies outside plus or minus `margin`", doubled for its two sides."""
    return min(1.0, 2 * min(p_above(values, margin), p_below(values, -margin)))


def holm(p_values: ArrayLike) -> np.ndarray:
    """Holm's adjustment: rejecting where these are at most alpha errs once with at most alpha.

    Holm 1979, Scandinavian Journal of Statistics 6, 65-70. statsmodels has it too, but collects
    garbage at each call, which took a sixth of the time of a chapter.
    """
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values)
    stepped = p_values[order] * np.arange(p_values.size, 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted


def detectable_effect(spread: float, n: int, alpha: float, power: float = 0.8) -> float:
    """The smallest true mean that the one-sided t test of n values finds with this power.

    Args:
        spread: standard deviation of one value, in the unit of the answer.
    """
    effect_size = TTestPower().solve_power(nobs=n, alpha=alpha, power=power, alternative="larger")
    return float(effect_size) * spread


def rank_trend(values: ArrayLike) -> np.ndarray:
    """Spearman's rank correlation of each row with the order of its columns; 0 for a flat row.

    The mean over rows is Page's L statistic on another scale (Page 1963, JASA 58, 216-230).

    Args:
        values: [n, k] one row for each seed, one column for each of the ordered levels.
    """
    values = np.asarray(values, dtype=float)
    ranks = stats.rankdata(values, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    order = np.arange(values.shape[1]) - (values.shape[1] - 1) / 2
    length = np.linalg.norm(ranks, axis=1) * np.linalg.norm(order)
    return np.divide(ranks @ order, length, out=np.zeros(len(values)), where=length > 0)


def best_columns(values: ArrayLike) -> np.ndarray:
    """Which columns [k] have the highest mean; more than one where they tie."""
    means = np.mean(np.asarray(values, dtype=float), axis=0)
    return np.isclose(means, means.max(), rtol=1e-12, atol=1e-12)


def resampled_best_columns(values: ArrayLike, seed: int = 0) -> np.ndarray:
    """`best_columns` of each of RESAMPLES bootstrap samples of the rows.

    Args:
        values: [n, k] one row for each seed.

    Returns:
        [RESAMPLES, k], True where the column is best.
    """
    values = np.asarray(values, dtype=float)
    n = len(values)
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    means = counts @ values / n
    return np.isclose(means, means.max(axis=1, keepdims=True), rtol=1e-12, atol=1e-12)


def p_best_among(values: ArrayLike, among: ArrayLike) -> float:
    """P value of "the column with the highest mean is one of these".

    One of them must beat every other column in a paired one-sided test (intersection-union test,
    Berger 1982, Technometrics 24, 295-300), corrected for the choice of that one (Bonferroni).
    Shares of bootstrap samples would be simpler, but with five seeds and levels that tie they err
    two to seven times as often as they claim.

    Args:
        values: [n, k] one row for each seed.
        among: [k] of bool.

    Returns:
        1 where there is nothing to compare: if `among` holds no column or all.
    """
    values, among = np.asarray(values, dtype=float), np.asarray(among, dtype=bool)
    if among.all() or not among.any():
        return 1.0
    others = values[:, ~among].T
    beats_all = [
        max(p_above(column - other, 0) for other in others) for column in values[:, among].T
    ]
    return min(1.0, len(beats_all) * min(beats_all))


def wilson_interval(passed: int, n: int, level: float = 0.95) -> Estimate:
    """The share of passed items with Wilson's interval, which stays within 0 and 1."""
    low, high = proportion_confint(passed, n, alpha=1 - level, method="wilson")
    return Estimate(passed / n, float(low), float(high), level, n)


def mcnemar_p(first: ArrayLike, second: ArrayLike) -> float:
    """Exact McNemar test: two-sided p value of "one passes more of the same items".

    Args:
        first, second: [n] whether each item was passed, in the same order of items.
    """
    first, second = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    table = [
        [np.sum(first & second), np.sum(first & ~second)],
        [np.sum(~first & second), np.sum(~first & ~second)],
    ]
    return float(mcnemar(table, exact=True).pvalue)


def interquartile_mean(values: ArrayLike) -> float:
    """The mean of the middle half of the values: robust to a few outlying runs.

    Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice".
    """
    return float(stats.trim_mean(np.ravel(values), 0.25))

"""Statistics for few paired seeds: plain functions on numpy arrays.

`means` decides which test holds its level for which outcome; this module has the tests themselves.
tests/method/judging/test_levels.py checks their levels by simulation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import scipy  # loads scipy.stats, which takes a second, only where it is used
from numpy.typing import ArrayLike

RESAMPLES = 9_999
"""Bootstrap resamples: ten thousand with the observed sample."""


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
    """The mean and its t interval, from two or more values."""
    values = np.asarray(values, dtype=float)
    mean = float(values.mean())
    error = values.std(ddof=1) / len(values) ** 0.5
    half = float(scipy.special.stdtrit(len(values) - 1, (1 + level) / 2) * error)
    return Estimate(mean, mean - half, mean + half, level, len(values))


def t_above(values: ArrayLike, bound: float) -> float:
    """One-sided p value of "the mean lies above `bound`": the one-sample t test.

    Holds its level for paired differences and for nearly normal outcomes. Returns 1 if all values
    are equal, since they do not show how much they vary.
    """
    values = np.asarray(values, dtype=float)
    if is_constant(values):
        return 1.0
    return float(scipy.special.stdtr(len(values) - 1, -_t_statistic(values, bound)))


def _t_statistic(values: np.ndarray, bound: float) -> float:
    """The t statistic: how many standard errors the mean lies above `bound`.

    Equals that of `scipy.stats.ttest_1samp` bit for bit, whose checks take 200 times as long.
    """
    n, mean = len(values), values.mean()
    variance = np.mean((values - mean) ** 2) * (n / (n - 1))
    return float((mean - bound) / np.sqrt(variance / n))


def skewed_t_above(values: ArrayLike, bound: float) -> float:
    """Like `t_above`, for outcomes as skewed as an exponential one, in either direction.

    The t statistic is compared with those of samples from an exponential distribution whose long
    tail points down. Small samples seldom include the tail, so the mean seems higher and more
    certain than it is. The error rate of the usual t test on five such values is three times its
    level.
    """
    values = np.asarray(values, dtype=float)
    if is_constant(values):
        return 1.0
    null = _t_of_skewed_samples(len(values))
    lower = int(np.searchsorted(null, _t_statistic(values, bound)))
    return (1 + len(null) - lower) / (1 + len(null))


SKEWED_SAMPLES = 200_000
"""Samples of the null distribution; a p value of 0.001 has a relative error of 7 %."""


@cache
def _t_of_skewed_samples(n: int) -> np.ndarray:
    """Sorted t statistics of samples of size n from a mirrored exponential distribution."""
    samples = 1 - np.random.default_rng(0).standard_exponential((SKEWED_SAMPLES, n))
    return np.sort(samples.mean(axis=1) / (samples.std(axis=1, ddof=1) / np.sqrt(n)))


def sign_flip_above(values: ArrayLike, bound: float) -> float:
    """One-sided p value of "paired differences lie above `bound`": the sign-flip test.

    Exact for any distribution of the outcome if both sides differ by a shift. At least 1 / 2^n.
    Fisher 1935, The Design of Experiments, section 21.
    """
    distances = np.asarray(values, dtype=float) - bound
    n = len(distances)
    signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    sums = signs @ distances
    return float(np.mean(sums >= sums[0] - 1e-12 * np.abs(distances).sum()))


def binomial_above(passed: ArrayLike, bound: float) -> float:
    """One-sided exact p value of "more than a share `bound` of all runs passes"."""
    passed = np.asarray(passed, dtype=float)
    share = min(max(bound, 0.0), 1.0)
    found = scipy.stats.binomtest(int(passed.sum()), len(passed), share, alternative="greater")
    return float(found.pvalue)


NUISANCE = np.linspace(0.0, 1.0, 101)
"""Grid of the unknown share of pairs that differ, from its least value to 1."""


def paired_shares_above(differences: ArrayLike, bound: float) -> float:
    """One-sided exact p value of "the paired difference of two shares is more than `bound`".

    The largest probability of a sum of differences at least this large, over all shares of pairs
    that differ: an exact unconditional test (Suissa and Shuster 1991, Biometrics 47, 361-372) with
    a margin. Does not need the two sides to be independent.

    Args:
        differences: [n] of -1, 0 and 1.
    """
    total, n = int(np.sum(differences)), len(np.asarray(differences))
    if not -1 < bound < 1:
        return 0.0 if bound <= -1 else 1.0
    share = abs(bound) + (1 - abs(bound)) * NUISANCE
    steps = np.stack([(share - bound) / 2, 1 - share, (share + bound) / 2], axis=1)
    sums = np.ones((len(share), 1))
    for _ in range(n):  # extend the distribution of the sum, [share, 2 n + 1], by one pair
        padded = np.pad(sums, ((0, 0), (2, 2)))
        sums = sum(steps[:, [k]] * padded[:, 2 - k : 2 - k + sums.shape[1] + 2] for k in range(3))
    return float(min(1.0, sums[:, total + n :].sum(axis=1).max()))


BETS = (0.25, 0.5, 0.75, 1.0)
"""Shares of their wealth that the gamblers bet."""


def bounded_above(values: ArrayLike, bound: float, low: float) -> float:
    """One-sided p value of "the mean lies above `bound`" for values bounded below by `low`.

    The reciprocal of the mean wealth of four gamblers who each bet a fixed share on every value
    being above the bound: if the mean is not above it, none can expect to gain (Waudby-Smith and
    Ramdas 2024, JRSS B 86, 1-27). Works without any spread, so it can also judge equal values.
    """
    values = np.asarray(values, dtype=float)
    if bound <= low:  # if the mean were `low`, no value could be above it
        return 0.0 if bound < low or (values > low).any() else 1.0
    gains = 1 + np.multiply.outer(BETS, values - bound) / (bound - low)
    return float(min(1.0, 1 / max(np.prod(gains, axis=1).mean(), 1e-300)))


Test = Callable[[np.ndarray, float], float]
"""A one-sided test: p value of "the mean of these values lies beyond a bound"."""


def spending(look: int) -> int:
    """The factor on a p value at the k-th look: 2^k.

    Look 1 may spend half of alpha, look 2 a quarter, and so on: never more than alpha in total,
    however many looks follow.
    """
    return 2**look


def holm(p_values: ArrayLike) -> np.ndarray:
    """Holm's adjusted p values: rejecting those up to alpha bounds the family-wise error by alpha.

    Holm 1979, Scandinavian Journal of Statistics 6, 65-70. The version in statsmodels collects
    garbage at each call, which took a sixth of the time of a chapter.
    """
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values)
    stepped = p_values[order] * np.arange(p_values.size, 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted


def detectable_effect(spread: float, n: int, alpha: float, power: float = 0.8) -> float:
    """The smallest true mean that the one-sided t test of n values detects with this power.

    Args:
        spread: standard deviation of one value, in the unit of the result.

    The t statistic of a true mean has a noncentral t distribution (Cohen 1988, Statistical Power
    Analysis for the Behavioral Sciences, section 2.2). statsmodels, which solves the same equation,
    takes a second to import, in every chapter with a verdict.
    """
    critical = scipy.special.stdtrit(n - 1, 1 - alpha)

    def excess_power(shift: float) -> float:
        return 1 - scipy.special.nctdtr(n - 1, shift, critical) - power

    most = 1.0
    while excess_power(most) < 0:
        most *= 2
    if np.isnan(excess_power(most)):  # two seeds at a strict level: no effect is large enough
        return np.inf
    return scipy.optimize.brentq(excess_power, 0, most) / np.sqrt(n) * spread


def rank_trend(values: ArrayLike) -> np.ndarray:
    """Spearman's rank correlation of each row with the order of its columns; 0 for a flat row.

    The mean over rows is Page's L statistic on another scale (Page 1963, JASA 58, 216-230).

    Args:
        values: [n, k] one row per seed, one column per level, in order.
    """
    return _trend_of_ranks(_centred_ranks(values))


def _centred_ranks(values: ArrayLike) -> np.ndarray:
    ranks = pd.DataFrame(np.asarray(values, dtype=float)).rank(axis=1).to_numpy()
    return ranks - ranks.mean(axis=1, keepdims=True)


def _trend_of_ranks(ranks: np.ndarray) -> np.ndarray:
    """The correlation of centred ranks along the last axis with their order."""
    order = np.arange(ranks.shape[-1]) - (ranks.shape[-1] - 1) / 2
    length = np.linalg.norm(ranks, axis=-1) * np.linalg.norm(order)
    return np.divide(ranks @ order, length, out=np.zeros(ranks.shape[:-1]), where=length > 0)


TREND_DRAWS = 19_999
"""Permutations drawn; the smallest p value is 1 in 20,000."""


def trend_p(values: ArrayLike) -> float:
    """One-sided p value of "values rise along the columns" against no trend.

    Page's test by permutation: shuffles the columns of each row repeatedly and takes the share of
    mean rank correlations that are as high. Exact for any distribution.

    Args:
        values: [n, k] one row for each seed, one column for each of the ordered levels.
    """
    values = np.asarray(values, dtype=float)
    found = rank_trend(values).mean()
    shuffled = np.random.default_rng(0).permuted(
        np.broadcast_to(_centred_ranks(values), (TREND_DRAWS, *values.shape)), axis=2
    )
    by_chance = _trend_of_ranks(shuffled).mean(axis=1)
    return float((1 + np.sum(by_chance >= found - 1e-12)) / (1 + TREND_DRAWS))


def best_columns(values: ArrayLike) -> np.ndarray:
    """Which columns [k] have the highest mean; more than one where they tie."""
    means = np.mean(np.asarray(values, dtype=float), axis=0)
    return np.isclose(means, means.max(), rtol=1e-12, atol=1e-12)


def resampled_best_columns(values: ArrayLike) -> np.ndarray:
    """`best_columns` of each of RESAMPLES bootstrap samples of the rows.

    Args:
        values: [n, k] one row for each seed.

    Returns:
        [RESAMPLES, k], True where the column is best.
    """
    shares, values = _resamples(values)
    means = shares @ values
    return np.isclose(means, means.max(axis=1, keepdims=True), rtol=1e-12, atol=1e-12)


def choice_shares(goodness: ArrayLike) -> np.ndarray:
    """The share of RESAMPLES bootstrap samples of the rows that choose each column, [k].

    Args:
        goodness: [n, k] one row for each seed; the column with the highest mean is chosen.
    """
    shares, goodness = _resamples(goodness)
    chosen = _chosen(shares, goodness)
    return np.bincount(chosen, minlength=goodness.shape[1]) / len(chosen)


def chosen_resamples(values: ArrayLike, goodness: ArrayLike) -> np.ndarray:
    """The mean of the column that each of RESAMPLES bootstrap samples of the rows would choose.

    Args:
        values, goodness: [n, k] one row for each seed; the column with the highest mean of
            goodness is chosen, and its values are averaged.

    Returns:
        [RESAMPLES]; calls with the same number of rows draw the same resamples.
    """
    shares, goodness = _resamples(goodness)
    return (shares @ np.asarray(values, dtype=float))[
        np.arange(len(shares)), _chosen(shares, goodness)
    ]


def _resamples(values: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The weight of each row in each resample, [RESAMPLES, n], and the values as an array."""
    values = np.asarray(values, dtype=float)
    return _shares(len(values)), values


@cache
def _shares(n: int) -> np.ndarray:
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    return counts / n


def _chosen(shares: np.ndarray, goodness: np.ndarray) -> np.ndarray:
    """The column that each resample chooses, never one that lacks a value in that resample."""
    return np.nan_to_num(shares @ goodness, nan=-np.inf).argmax(axis=1)


def p_best_among(values: ArrayLike, among: ArrayLike, above: Test = t_above) -> float:
    """P value of "the column with the highest mean is one of these".

    One of them must beat every other column in a paired one-sided test (intersection-union test,
    Berger 1982, Technometrics 24, 295-300), corrected for the choice of that one (Bonferroni).
    Shares of bootstrap samples would be simpler, but with five seeds and tied levels their error
    rate is two to seven times the nominal one.

    Args:
        values: [n, k] one row for each seed.
        among: [k] of bool.
        above: the test of paired differences.

    Returns:
        1 if there is nothing to compare, that is, if `among` selects no column or all.
    """
    values, among = np.asarray(values, dtype=float), np.asarray(among, dtype=bool)
    if among.all() or not among.any():
        return 1.0
    return p_some_beats_all(values[:, among], values[:, ~among], 0.0, above)


def p_some_beats_all(some: ArrayLike, others: ArrayLike, margin: float, above: Test) -> float:
    """P value of "the highest mean of `some` columns lies above that of all others by `margin`".

    Args:
        some, others: [n, k] and [n, m], one row for each seed.
    """
    beats_all = [
        max(above(column - other, margin) for other in np.asarray(others, dtype=float).T)
        for column in np.asarray(some, dtype=float).T
    ]
    return min(1.0, len(beats_all) * min(beats_all))


def wilson_interval(passed: int, n: int, level: float = 0.95) -> Estimate:
    """The share of passed items with Wilson's interval, which stays between 0 and 1."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(passed, n, alpha=1 - level, method="wilson")
    return Estimate(passed / n, float(low), float(high), level, n)


def mcnemar_p(first: ArrayLike, second: ArrayLike) -> float:
    """Exact McNemar test: two-sided p value of "one passes more of the same items".

    Args:
        first, second: [n] whether each item was passed, in the same order of items.
    """
    from statsmodels.stats.contingency_tables import mcnemar

    first, second = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    table = [
        [np.sum(first & second), np.sum(first & ~second)],
        [np.sum(~first & second), np.sum(~first & ~second)],
    ]
    return float(mcnemar(table, exact=True).pvalue)

"""Statistics for few paired seeds: plain functions on numpy arrays.

Which test holds its level for which outcome is decided in `means`; here are its parts. That they
hold it is simulated in tests/method/judging/test_levels.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import scipy  # loads scipy.stats, which takes a second, only where it is used
from numpy.typing import ArrayLike

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
    error = values.std(ddof=1) / len(values) ** 0.5
    half = float(scipy.special.stdtrit(len(values) - 1, (1 + level) / 2) * error)
    return Estimate(mean, mean - half, mean + half, level, len(values))


def bootstrap_interval(values: ArrayLike, level: float, seed: int = 0) -> tuple[float, float]:
    """The bias-corrected, accelerated (BCa) bootstrap interval of the mean."""
    values = np.asarray(values, dtype=float)
    if is_constant(values):
        return float(values.mean()), float(values.mean())
    interval = scipy.stats.bootstrap(
        (values,),
        np.mean,
        confidence_level=level,
        n_resamples=RESAMPLES,
        method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def t_above(values: ArrayLike, bound: float) -> float:
    """One-sided p value of "the mean lies above `bound`": the t test of one sample.

    It holds its level for paired differences and for outcomes that are nearly normal. 1 where all
    values are equal: they do not say how much they vary.
    """
    values = np.asarray(values, dtype=float)
    if is_constant(values):
        return 1.0
    return float(scipy.special.stdtr(len(values) - 1, -_t_statistic(values, bound)))


def _t_statistic(values: np.ndarray, bound: float) -> float:
    """How many standard errors the mean lies above `bound`.

    Bit for bit that of `scipy.stats.ttest_1samp`, whose checks take two hundred times as long.
    """
    n, mean = len(values), values.mean()
    variance = np.mean((values - mean) ** 2) * (n / (n - 1))
    return float((mean - bound) / np.sqrt(variance / n))


def skewed_t_above(values: ArrayLike, bound: float) -> float:
    """As `t_above`, for outcomes that may be as skewed as an exponential one, to either side.

    The t statistic is compared with those of samples from an exponential distribution whose long
    tail points down: a few values seldom show it, and then the mean seems higher and surer than it
    is. The usual t test of five such values errs three times as often as it says.
    """
    values = np.asarray(values, dtype=float)
    if is_constant(values):
        return 1.0
    null = _t_of_skewed_samples(len(values))
    lower = int(np.searchsorted(null, _t_statistic(values, bound)))
    return (1 + len(null) - lower) / (1 + len(null))


SKEWED_SAMPLES = 200_000


@cache
def _t_of_skewed_samples(n: int) -> np.ndarray:
    """Sorted t statistics of samples of n from an exponential distribution turned upside down."""
    samples = 1 - np.random.default_rng(0).standard_exponential((SKEWED_SAMPLES, n))
    return np.sort(samples.mean(axis=1) / (samples.std(axis=1, ddof=1) / np.sqrt(n)))


def sign_flip_above(values: ArrayLike, bound: float) -> float:
    """One-sided p value of "paired differences lie above `bound`": all signs flipped in turn.

    Exact, whatever the outcome's distribution, if both sides differ by a shift. At least 1 / 2^n.
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


def paired_shares_above(differences: ArrayLike, bound: float) -> float:
    """One-sided exact p value of "of the same seeds, a share more than `bound` more passes".

    The largest probability of so large a sum of differences, over all shares of pairs that differ:
    an exact unconditional test (Suissa and Shuster 1991, Biometrics 47, 361-372) with a margin. It
    needs no independence of the two sides.

    Args:
        differences: [n] of -1, 0 and 1.
    """
    total, n = int(np.sum(differences)), len(np.asarray(differences))
    if not -1 < bound < 1:
        return 0.0 if bound <= -1 else 1.0
    share = abs(bound) + (1 - abs(bound)) * NUISANCE
    steps = np.stack([(share - bound) / 2, 1 - share, (share + bound) / 2], axis=1)
    sums = np.ones((len(share), 1))
    for _ in range(n):  # the distribution of the sum, [share, 2 n + 1], grows by one pair
        padded = np.pad(sums, ((0, 0), (2, 2)))
        sums = sum(steps[:, [k]] * padded[:, 2 - k : 2 - k + sums.shape[1] + 2] for k in range(3))
    return float(min(1.0, sums[:, total + n :].sum(axis=1).max()))


BETS = (0.25, 0.5, 0.75, 1.0)


def bounded_above(values: ArrayLike, bound: float, low: float) -> float:
    """One-sided p value of "the mean lies above `bound`" for values that cannot lie below `low`.

    One over the mean fortune of four gamblers, each of whom bets a fixed share on every value
    being above the bound: if the mean were not, none could expect to gain (Waudby-Smith and Ramdas
    2024, JRSS B 86, 1-27). It needs no spread, so it judges equal values, too.
    """
    values = np.asarray(values, dtype=float)
    if bound <= low:  # a mean of `low` leaves no room for a value above it
        return 0.0 if bound < low or (values > low).any() else 1.0
    gains = 1 + np.multiply.outer(BETS, values - bound) / (bound - low)
    return float(min(1.0, 1 / max(np.prod(gains, axis=1).mean(), 1e-300)))


Test = Callable[[np.ndarray, float], float]
"""A one-sided test: p value of "the mean of these values lies beyond a bound"."""


def spending(look: int) -> int:
    """By how much a p value counts at the k-th look: 2^k.

    Look 1 may spend half of alpha, look 2 a quarter, and so on: together never more than alpha,
    however many looks there will be, which nobody knows at the first one.
    """
    return 2**look


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
    from statsmodels.stats.power import TTestPower

    effect_size = TTestPower().solve_power(nobs=n, alpha=alpha, power=power, alternative="larger")
    return float(effect_size) * spread


def rank_trend(values: ArrayLike) -> np.ndarray:
    """Spearman's rank correlation of each row with the order of its columns; 0 for a flat row.

    The mean over rows is Page's L statistic on another scale (Page 1963, JASA 58, 216-230).

    Args:
        values: [n, k] one row for each seed, one column for each of the ordered levels.
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


def trend_p(values: ArrayLike) -> float:
    """One-sided p value of "values rise along the columns" against no trend.

    The columns of each row are put in random order, again and again: the share of mean rank
    correlations that are as high (Page's test, by permutation). Exact for any distribution.

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
        [RESAMPLES], each from the rows that the same call with other columns would draw.
    """
    shares, goodness = _resamples(goodness)
    return (shares @ np.asarray(values, dtype=float))[
        np.arange(len(shares)), _chosen(shares, goodness)
    ]


def _resamples(values: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """How much each row counts in each resample, [RESAMPLES, n], and the values as an array."""
    values = np.asarray(values, dtype=float)
    return _shares(len(values)), values


@cache
def _shares(n: int) -> np.ndarray:
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    return counts / n


def _chosen(shares: np.ndarray, goodness: np.ndarray) -> np.ndarray:
    """The column that each resample chooses; one that lacks a value it would need is not chosen."""
    return np.nan_to_num(shares @ goodness, nan=-np.inf).argmax(axis=1)


def p_best_among(values: ArrayLike, among: ArrayLike, above: Test = t_above) -> float:
    """P value of "the column with the highest mean is one of these".

    One of them must beat every other column in a paired one-sided test (intersection-union test,
    Berger 1982, Technometrics 24, 295-300), corrected for the choice of that one (Bonferroni).
    Shares of bootstrap samples would be simpler, but with five seeds and levels that tie they err
    two to seven times as often as they claim.

    Args:
        values: [n, k] one row for each seed.
        among: [k] of bool.
        above: the test of paired differences.

    Returns:
        1 where there is nothing to compare: if `among` holds no column or all.
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
    """The share of passed items with Wilson's interval, which stays within 0 and 1."""
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


def interquartile_mean(values: ArrayLike) -> float:
    """The mean of the middle half of the values: robust to a few outlying runs.

    Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice".
    """
    return float(scipy.stats.trim_mean(np.ravel(values), 0.25))

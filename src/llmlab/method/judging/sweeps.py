"""Judge claims about the levels of an axis: a trend, and where the best one is."""

import numpy as np
import pandas as pd

from llmlab.method.judging import means, statistics
from llmlab.method.judging.case import Case, Judgement
from llmlab.method.judging.sides import Edge
from llmlab.method.levels import label, level


def judge_trend(case: Case) -> Judgement:
    """Judge a claim that the metric rises, or falls, along an axis."""
    hypothesis = case.hypothesis
    sign = 1 if hypothesis.claims_more else -1
    per_seed = statistics.rank_trend(case.values)
    least = sign * statistics.rank_trend(_least_trend(case, sign))
    reaches = float(least.mean()) >= hypothesis.margin
    against = statistics.trend_p(sign * _least_trend(case, sign))
    # the opposite: even the most that the levels allow stays below the margin
    most = -sign * statistics.rank_trend(_least_trend(case, -sign))
    opposite = statistics.bounded_above(most, -hypothesis.margin, low=-1.0)
    bound = means.test_of_correlations()
    estimate = bound.interval(per_seed, hypothesis.alpha)
    return Judgement(
        effect=estimate.value,
        low=estimate.low,
        high=estimate.high,
        level=estimate.level,
        n=estimate.n,
        unit="1",
        per_seed=tuple(per_seed.tolist()),
        second_opinion=None,
        test="Page's test against no trend, by permutation; for the opposite a bounded mean",
        p_supported=against if reaches else 1.0,
        p_refuted=opposite,
        sides=case.sides,
        alarms=(),
        open_end=case.open_end(),
    )


def _least_trend(case: Case, sign: int) -> np.ndarray:
    """The values of all levels, each at the tuned level least favourable to the trend.

    Among the levels that may be the best, takes the highest mean below the middle of the axis and
    the lowest mean above it (for an increasing trend).
    """
    middle = (len(case.sides) - 1) / 2
    seeds = list(case.sides[0].values)
    columns = []
    for position, side in enumerate(case.sides):
        options = [pd.Series(each).reindex(seeds) for each in (side.values, *side.rivals.values())]
        whole = [each for each in options if each.notna().all()]
        lowest_first = sorted(whole, key=lambda each: each.mean())
        columns.append(lowest_first[0 if sign * (position - middle) > 0 else -1])
    return np.stack(columns, axis=1)


def judge_optimum(case: Case) -> Judgement:
    """Judge a claim about the best level of an axis."""
    hypothesis, axis = case.hypothesis, str(case.hypothesis.best)
    values = case.direction * case.values
    levels = np.asarray([side.condition[axis] for side in case.sides], dtype=float)
    low, high = hypothesis.interval
    inside = (low <= levels) & (levels <= high)
    best = statistics.best_columns(values)
    effect = float(levels[best].min())
    test = means.test_of_levels(values, case.unit)
    quantiles = _best_levels(values, levels, hypothesis.alpha)
    tied = ", ".join(map(level, levels[best].tolist()))
    ties = [f"these levels of {label(axis)} tie for the best: {tied}"] if best.sum() > 1 else []
    edge = case.table.edge(axis, effect)
    return Judgement(
        effect=effect,
        low=float(quantiles[0]),
        high=float(quantiles[1]),
        level=1 - 2 * hypothesis.alpha,
        n=len(values),
        unit=next(each.unit for each in case.table.experiment.axes if each.name == axis),
        per_seed=tuple(levels[values.argmax(axis=1)].tolist()),
        second_opinion=None,
        test=f"one-sided: {test.name}, levels inside against levels outside",
        p_supported=statistics.p_best_among(values, inside, test.above),
        p_refuted=statistics.p_best_among(values, ~inside, test.above),
        sides=case.sides,
        alarms=tuple(filter(None, [*ties, edge.alarm if edge else "", test.beware])),
        open_end=edge.remedy if edge and _may_lie_beyond(edge, low, high) else "",
    )


def _may_lie_beyond(edge: Edge, low: float, high: float) -> bool:
    """Whether levels beyond an edge could change whether the best level is in the interval."""
    return edge.level <= high if edge.end == "highest" else edge.level >= low


def _best_levels(values: np.ndarray, levels: np.ndarray, alpha: float) -> np.ndarray:
    """Both ends of the bootstrap interval of the best level."""
    resampled = statistics.resampled_best_columns(values)
    found = np.where(resampled, levels, np.inf).min(axis=1)
    return np.quantile(found, [alpha, 1 - alpha], method="inverted_cdf")

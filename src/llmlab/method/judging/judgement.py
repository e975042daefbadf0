"""Judge one hypothesis on one table of runs: numbers in, numbers out.

Tests of each claim, all over seeds and paired (the runs of one seed belong together):

- greater, less: a one-sided test of the paired differences against the margin, or of the
  differences from a reference if there is no control. `means` selects the test.
- equivalent: two such tests (TOST) of the paired differences against both margins.
- monotone: Page's test by permutation of the levels within each seed, against no trend. In
  addition, the mean rank correlation of the seeds must reach the margin. To refute the claim, the
  mean of these correlations, which are between -1 and 1, must be bounded away from the margin.
- interval: the best level is the one with the best mean. Some level inside the interval must beat
  every level outside in one-sided paired tests, corrected for the choice of that level; to refute
  the claim, some level outside must beat every level inside. The effect is the level with the best
  mean, with a bootstrap interval over seeds.

Each claim has two p values, one for the claim and one for its opposite. If neither is small, the
data do not decide.

If levels are tuned, both p values hold for every level that may be the best (see `sides`). If the
compared metric itself chooses the level, some level of one side must beat every level of the other.

The reported interval has level 1 - 2 alpha: it lies on one side of the margin exactly if the
one-sided test at alpha rejects (before the correction for the family). With tuned levels it covers
the intervals of all levels that may be the best.

A run that diverged is a result, not a gap: without it, a condition would be judged by its lucky
seeds. It counts as the worst value of any completed run of the experiment, so that no run counts as
worse (the composite strategy of ICH E9(R1) for events that end a trial). A run that failed for
other reasons carries no information, and its seed is left out on all sides. An alarm reports the
number of both.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from llmlab.method.declare.experiment import Experiment, Metric
from llmlab.method.errors import LabError
from llmlab.method.judging import means, statistics
from llmlab.method.judging.ledger import Hypothesis
from llmlab.method.judging.means import MeanTest
from llmlab.method.judging.mistakes import design_mistakes
from llmlab.method.judging.sides import (
    Edge,
    NotInTableError,
    Side,
    Table,
    alarms_of_runs,
    goodness,
    no_room,
)
from llmlab.method.judging.statistics import Estimate
from llmlab.method.levels import label, level

FEWEST_SEEDS = 3
"""Fewest complete pairs for a verdict."""


@dataclass(frozen=True)
class Judgement:
    """What the runs say about a hypothesis, before the correction for its family.

    Attributes:
        effect: mean paired difference, mean rank correlation, or best level.
        low, high: ends of its interval at `level`.
        unit: unit of effect, low and high; "1" if none.
        per_seed: the effect of each seed.
        second_opinion: a bootstrap interval that chooses tuned levels again in each resample; None
            with too few seeds, or if the main interval is a bootstrap.
        test: the deciding test, in words.
        p_supported, p_refuted: p values of the claim and of its opposite; a check has none.
        sides: the sides as compared.
        alarms: warnings that a reader must know before trusting the result.
        open_end: what must be tried before this can be decided; empty if nothing.
        is_t: whether the power of a t test gives the detectable effect.
    """

    effect: float
    low: float
    high: float
    level: float
    n: int
    unit: str
    per_seed: tuple[float, ...]
    second_opinion: tuple[float, float] | None
    test: str
    p_supported: float | None
    p_refuted: float | None
    sides: tuple[Side, ...]
    alarms: tuple[str, ...]
    open_end: str = ""
    is_t: bool = False


@dataclass(frozen=True)
class NoJudgement:
    """Why the runs say nothing about a hypothesis."""

    word: Literal["UNDECIDED", "UNTESTED"]
    reason: str


def judge(
    hypothesis: Hypothesis, experiment: Experiment, runs: pd.DataFrame
) -> Judgement | NoJudgement:
    """Judge a hypothesis on the runs of its experiment at one scale.

    Args:
        runs: the table `runs.csv`, in its canonical order.

    Raises:
        LabError: the experiment cannot test the hypothesis.
    """
    for mistake in design_mistakes(hypothesis, experiment):
        raise LabError(f"hypothesis {hypothesis.id}: {mistake}.")
    table = Table.of(hypothesis, experiment, runs)
    try:
        found = [table.side(name, fixed) for name, fixed in table.fixed()]
    except NotInTableError as absent:
        return NoJudgement("UNTESTED", str(absent))
    paired = pd.concat([values for _, values in found], axis=1).dropna()
    if len(paired) < FEWEST_SEEDS:
        return NoJudgement(
            "UNDECIDED",
            f"Only {len(paired)} seeds have a value on every side; a verdict needs at least "
            f"{FEWEST_SEEDS}.",
        )
    sides = tuple(_at_seeds(side, paired.index) for side, _ in found)
    seeds = set().union(*(values.index for _, values in found))
    edges = [(side, edge) for side in sides for edge in table.edges(side)]
    case = _Case(table, sides, paired.to_numpy(), edges)
    judgement = _RULES[_rule(hypothesis)](case)
    cramped = no_room(sides, experiment.metric(hypothesis.metric))
    alarms = (
        *alarms_of_runs(sides, seeds, len(paired)),
        *([cramped.alarm] if cramped else []),
        *case.alarms,
        *judgement.alarms,
    )
    judgement = replace(judgement, alarms=alarms)
    if hypothesis.kind == "check":
        return _as_check(hypothesis, judgement)
    if cramped and cramped.hides(hypothesis):
        needed = [judgement.open_end, cramped.remedy]
        return replace(judgement, open_end=" and ".join(filter(None, needed)))
    return judgement


@dataclass(frozen=True)
class _Case:
    """What is compared.

    Attributes:
        values: [n, sides] the metric of each side at its best level.
        edges: chosen levels at an edge of the grid, each with its side.
    """

    table: Table
    sides: tuple[Side, ...]
    values: np.ndarray
    edges: Sequence[tuple[Side, Edge]]

    @property
    def hypothesis(self) -> Hypothesis:
        return self.table.hypothesis

    @property
    def unit(self) -> str:
        """The unit of the metric."""
        return self.table.experiment.metric(self.hypothesis.metric).unit

    @property
    def alarms(self) -> list[str]:
        return [f"{side.name}: {edge.alarm}" for side, edge in self.edges]

    def open_end(self, losing: Side | None = None) -> str:
        """What must be tried first, as one phrase.

        Args:
            losing: the only side that could change the verdict; None if each could.
        """
        counted = [edge for side, edge in self.edges if losing is None or side is losing]
        return " and ".join(dict.fromkeys(edge.remedy for edge in counted))


def _at_seeds(side: Side, seeds: pd.Index) -> Side:
    """The side, restricted to these seeds."""
    values = {seed: side.values[seed] for seed in seeds}
    return replace(side, values=values, mean=float(np.mean(list(values.values()))))


def _rule(hypothesis: Hypothesis) -> str:
    if hypothesis.claim in ("monotone", "interval"):
        return hypothesis.claim
    return "frontier" if hypothesis.is_frontier else "mean"


def _as_check(hypothesis: Hypothesis, judgement: Judgement) -> Judgement:
    """Turn a judgement into a check: every seed must be as claimed, so there are no p values."""
    return replace(
        judgement,
        test="a check: each seed alone",
        p_supported=None,
        p_refuted=None,
        second_opinion=None,
        is_t=False,
    )


# ------------------------------------------------------------------ differences


def _judge_mean(case: _Case) -> Judgement:
    """Judge a claim about the mean of paired differences, or of differences from a number."""
    hypothesis = case.hypothesis
    pairs = list(_possible(case))
    tests = [_mean_test(case, values) for values in pairs]
    effects = [_effects(case, values) for values in pairs]
    p_values = np.array(
        [_p_values(hypothesis, test, each) for test, each in zip(tests, effects, strict=True)]
    )
    p_supported, p_refuted = p_values.max(axis=0)
    estimate = _hull(tests, effects, hypothesis.alpha)
    return Judgement(
        effect=float(effects[0].mean()),
        low=estimate.low,
        high=estimate.high,
        level=estimate.level,
        n=len(effects[0]),
        unit=case.unit,
        per_seed=tuple(effects[0].tolist()),
        second_opinion=_second_opinion(case, estimate.level),
        test=_in_words(hypothesis, tests[0], len(pairs)),
        p_supported=float(p_supported),
        p_refuted=float(p_refuted),
        sides=case.sides,
        alarms=(tests[0].beware,) if tests[0].beware else (),
        open_end=case.open_end(),
        is_t=tests[0].is_t,
    )


def _possible(case: _Case) -> list[np.ndarray]:
    """The values of both sides at each pair of levels that may be the best, chosen pair first."""
    levels = [[side.values, *side.rivals.values()] for side in case.sides]
    combined = itertools.product(*levels)
    tables = (pd.DataFrame(dict(enumerate(values))).dropna().to_numpy() for values in combined)
    return [values for values in tables if len(values) >= FEWEST_SEEDS]


def _effects(case: _Case, values: np.ndarray) -> np.ndarray:
    reference = case.hypothesis.reference
    return values[:, 0] - (values[:, 1] if reference is None else reference)


def _mean_test(case: _Case, values: np.ndarray) -> MeanTest:
    reference = case.hypothesis.reference
    if reference is None:
        return means.test_of_difference(values, case.unit)
    return means.test_against_number(values[:, 0], reference, case.unit)


def _p_values(hypothesis: Hypothesis, test: MeanTest, effects: np.ndarray) -> tuple[float, float]:
    """P values of the claim and of its opposite."""
    margin = hypothesis.margin
    if not test.decides:
        return 1.0, 1.0
    if hypothesis.claim == "equivalent":
        return test.within(effects, margin), test.outside(effects, margin)
    if hypothesis.claims_more:
        return test.above(effects, margin), test.below(effects, margin)
    return test.below(effects, -margin), test.above(effects, -margin)


def _hull(tests: Sequence[MeanTest], effects: Sequence[np.ndarray], alpha: float) -> Estimate:
    """The interval at the chosen levels, widened to those with the least and largest effect."""
    averages = [float(each.mean()) for each in effects]
    shown = {0, int(np.argmin(averages)), int(np.argmax(averages))}
    found = [tests[index].interval(effects[index], alpha) for index in sorted(shown)]
    low, high = min(each.low for each in found), max(each.high for each in found)
    return replace(found[0], low=low, high=high)


def _in_words(hypothesis: Hypothesis, test: MeanTest, n_pairs: int) -> str:
    if not test.decides:
        return test.name
    sides = "two one-sided tests" if hypothesis.claim == "equivalent" else "one-sided"
    choices = f", at each of {n_pairs} choices of levels" if n_pairs > 1 else ""
    return f"{sides}: {test.name}{choices}"


def _second_opinion(case: _Case, level: float) -> tuple[float, float] | None:
    """The bootstrap interval of the mean, with tuned levels chosen again in each resample."""
    if len(case.values) < means.ENOUGH_SEEDS:
        return None
    chooser = case.table.experiment.metric(case.table.chooser) if case.hypothesis.tuned else None
    per_side = [
        statistics.chosen_resamples(*_levels_of(case, fixed, name, chooser))
        for name, fixed in case.table.fixed()
    ]
    reference = case.hypothesis.reference
    means_of = per_side[0] - (per_side[1] if reference is None else reference)
    low, high = np.quantile(means_of, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _levels_of(
    case: _Case, fixed: Mapping[str, object], name: str, chooser: Metric | None
) -> tuple[np.ndarray, np.ndarray]:
    """The metric and the goodness by which levels are chosen, [n, levels] each, by seed."""
    seeds, cells = list(case.sides[0].values), case.table.cells(name, fixed)
    metric = np.stack([cell[case.hypothesis.metric].reindex(seeds) for cell in cells], axis=1)
    if chooser is None:
        return metric, np.zeros_like(metric)
    return metric, goodness([cell.reindex(seeds) for cell in cells], chooser)


def _judge_frontier(case: _Case) -> Judgement:
    """Judge a claim about the best that each side reaches over all levels of its tuned axes."""
    hypothesis, direction = case.hypothesis, _direction(case)
    grids = [_complete(case, name, fixed) for name, fixed in case.table.fixed()]
    treatment, control = (direction * grid for grid in grids)
    test = means.test_of_difference(case.values, case.unit)
    # in terms of "more is better", the claim is one about treatment minus control
    more = hypothesis.claims_more == (direction > 0)
    margin = hypothesis.margin if more else -hypothesis.margin
    ahead = statistics.p_some_beats_all(treatment, control, margin, test.above)
    behind = statistics.p_some_beats_all(control, treatment, -margin, test.above)
    effects = case.values[:, 0] - case.values[:, 1]
    estimate = test.interval(effects, hypothesis.alpha)
    return Judgement(
        effect=estimate.value,
        low=estimate.low,
        high=estimate.high,
        level=estimate.level,
        n=estimate.n,
        unit=case.unit,
        per_seed=tuple(effects.tolist()),
        second_opinion=_second_opinion(case, estimate.level),
        test=f"one-sided: {test.name}, one level against all of the other side",
        p_supported=ahead if more else behind,
        p_refuted=behind if more else ahead,
        sides=case.sides,
        alarms=(test.beware,) if test.beware else (),
        open_end=case.open_end(case.sides[1 if direction * estimate.value > 0 else 0]),
        is_t=False,
    )


def _direction(case: _Case) -> int:
    metric = case.table.experiment.metric(case.hypothesis.metric)
    return -1 if metric.direction == "lower" else 1


def _complete(case: _Case, name: str, fixed: Mapping[str, object]) -> np.ndarray:
    """The metric of a side, [n, levels], at all levels for which every seed has a value."""
    seeds, metric = list(case.sides[0].values), case.hypothesis.metric
    cells = [cell[metric].reindex(seeds) for cell in case.table.cells(name, fixed)]
    return np.stack([cell for cell in cells if cell.notna().all()], axis=1)


# ------------------------------------------------------------------ sweeps


def _judge_trend(case: _Case) -> Judgement:
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


def _least_trend(case: _Case, sign: int) -> np.ndarray:
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


def _judge_optimum(case: _Case) -> Judgement:
    """Judge a claim about the best level of an axis."""
    hypothesis, axis = case.hypothesis, str(case.hypothesis.best)
    values = _direction(case) * case.values
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


_RULES: Mapping[str, Callable[[_Case], Judgement]] = {
    "mean": _judge_mean,
    "frontier": _judge_frontier,
    "monotone": _judge_trend,
    "interval": _judge_optimum,
}

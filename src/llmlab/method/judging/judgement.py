"""Judges one hypothesis on one table of runs: nothing but numbers in, numbers out.

How each claim is tested, all over seeds, paired: the runs of one seed belong together.

- greater, less: one-sided t tests of the paired differences against the margin; with a reference
  instead of a control, of the differences from it.
- equivalent: two one-sided t tests (TOST) of the paired differences against both margins.
- monotone: Spearman's rank correlation of the metric with the order of the levels, one for each
  seed, tested like a difference. It asks for order alone, so it does not matter whether the steps
  of the axis are even.
- interval: the best level is the one with the best mean. Some level inside the interval must beat
  every level outside in one-sided paired t tests, corrected for the choice of that level; against
  the claim, some level outside must beat every level inside. Its effect is the best level of the
  mean, with a bootstrap interval over seeds.

Each claim has two p values, one for "it is so" and one for "the opposite is so". If neither is
small the data do not decide.

The interval that is shown has level 1 - 2 alpha: it lies on one side of the margin exactly if the
one-sided test at alpha says so (before the correction for the family).

A run that diverged is a result, not a gap: leaving it out would let a condition be judged by its
lucky seeds. It counts as the worst value that any completed run of the experiment has, so that no
run is counted as worse than it (the composite strategy of ICH E9(R1) for events that end a trial).
A run that failed for other reasons says nothing, and its seed is left out on all sides. Both are
counted and said in an alarm.

A tuned axis gets, on each side, the level whose mean of the experiment's selection metric over
seeds is best: every side has the same budget of tuning.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from llmlab.method.declare.experiment import Experiment, Metric, Value
from llmlab.method.errors import LabError
from llmlab.method.evidence.tables import level_type
from llmlab.method.judging import statistics
from llmlab.method.judging.ledger import Hypothesis, design_mistakes, is_number

FEWEST_SEEDS = 3
"""With fewer complete pairs there is no verdict."""


@dataclass(frozen=True)
class Side:
    """One side of a comparison, or one level of a sweep, as it was compared.

    Attributes:
        name: "treatment", "control", or the level, as in "rank = 8".
        condition: the level of every axis, chosen levels of tuned axes included.
        values: the metric for each seed; a diverged run has the worst completed value.
        mean: of these values.
        diverged: how many of them are of diverged runs.
    """

    name: str
    condition: Mapping[str, Value]
    values: Mapping[int, float]
    mean: float
    diverged: int


@dataclass(frozen=True)
class Judgement:
    """What the runs say about a hypothesis, before the correction for its family.

    Attributes:
        effect: mean paired difference, mean rank correlation, or best level.
        low, high: ends of its interval of the given level.
        unit: of effect, low and high; "1" if none.
        per_seed: the effect of each seed alone.
        bootstrap: a second opinion on the interval; None where the first is a bootstrap.
        test: the test that decides, in words.
        p_supported, p_refuted: p values of the claim and of its opposite.
        alarms: whatever a reader must know before believing it.
    """

    effect: float
    low: float
    high: float
    level: float
    n: int
    unit: str
    per_seed: tuple[float, ...]
    bootstrap: tuple[float, float] | None
    test: str
    p_supported: float
    p_refuted: float
    sides: tuple[Side, ...]
    alarms: tuple[str, ...]


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
    sweep = _Sweep(hypothesis, experiment, settled(runs, experiment))
    try:
        cells = [sweep.cell(name, fixed) for name, fixed in sweep.sides()]
    except NotInTableError as absent:
        return NoJudgement("UNTESTED", str(absent))
    paired = pd.concat([cell[hypothesis.metric] for cell in cells], axis=1).dropna()
    if len(paired) < FEWEST_SEEDS:
        return NoJudgement(
            "UNDECIDED",
            f"Only {len(paired)} seeds have a value on every side; a verdict needs at least "
            f"{FEWEST_SEEDS}.",
        )
    sides = tuple(
        _side(name, cell.loc[paired.index], sweep)
        for (name, _), cell in zip(sweep.sides(), cells, strict=True)
    )
    alarms = (*_alarms_of_runs(sides, cells), *sweep.alarms_of_tuning(sides))
    decide = _judge_optimum if hypothesis.claim == "interval" else _judge_mean
    return decide(sweep, sides, paired.to_numpy(), alarms)


class NotInTableError(LabError):
    """The table has no runs, or no values, for what is asked."""


@dataclass(frozen=True)
class _Sweep:
    """The runs of an experiment, seen by one hypothesis."""

    hypothesis: Hypothesis
    experiment: Experiment
    runs: pd.DataFrame

    @property
    def axes(self) -> list[str]:
        return [axis.name for axis in self.experiment.axes]

    def sides(self) -> list[tuple[str, Mapping[str, Value]]]:
        """The name and the fixed conditions of all that is compared."""
        hypothesis, axis = self.hypothesis, self.hypothesis.swept
        if axis is None:
            return list(hypothesis.sides.items())
        return [
            (f"{axis} = {short(level)}", {**hypothesis.treatment, axis: level})
            for level in self.levels(axis)
        ]

    def levels(self, axis: str) -> list[Value]:
        """The levels of an axis in the order of the table."""
        return self.runs[axis].unique().tolist()

    def cell(self, name: str, fixed: Mapping[str, Value]) -> pd.DataFrame:
        """The runs of one condition, by seed; tuned axes at their best level."""
        rows = self.runs
        for axis, level in fixed.items():
            rows = rows[rows[axis] == level_type(self.experiment, axis)(level)]
            if rows.empty:
                raise NotInTableError(f"This scale has no runs with {axis} = {short(level)}.")
        if self.hypothesis.tuned:
            rows = tuned_rows(rows, self.experiment, self.hypothesis.tuned)
        for axis in self.axes:
            if rows[axis].nunique() > 1:
                raise NotInTableError(f"The table has several levels of {axis} for the {name}.")
        return rows.set_index("seed")

    def alarms_of_tuning(self, sides: Iterable[Side]) -> list[str]:
        """Chosen levels beyond which nothing was tried."""
        return [
            f"{side.name}: {alarm}"
            for side in sides
            for axis in self.hypothesis.tuned
            for alarm in self.alarms_of_edge(axis, side.condition[axis])
        ]

    def alarms_of_edge(self, axis: str, level: Value) -> list[str]:
        levels = self.levels(axis)
        if len(levels) < 2 or not is_number(level) or min(levels) < level < max(levels):
            return []
        edge = "lowest" if level == min(levels) else "highest"
        return [f"the best {axis}, {short(level)}, is the {edge} that was tried"]


def tuned_rows(rows: pd.DataFrame, experiment: Experiment, tuned: Sequence[str]) -> pd.DataFrame:
    """The rows at the levels of the tuned axes whose mean of the selection metric is best.

    Args:
        rows: settled runs of one condition, tuned axes apart.

    Raises:
        NotInTableError: no run has a value of the selection metric.
    """
    metric = experiment.metric(experiment.selection_metric)
    groups = rows.groupby(list(tuned), sort=False)
    means = groups[metric.name].mean().dropna()
    if means.empty:
        raise NotInTableError(f"No run has a value of {metric.name} to tune by.")
    best = means.idxmin() if metric.direction == "lower" else means.idxmax()
    return groups.get_group(best if isinstance(best, tuple) else (best,))


def settled(runs: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """The runs with diverged ones at the worst completed value, and failed ones at NaN.

    A metric without a better direction has no worst value: diverged runs are NaN there too.
    """
    rows = runs.copy()
    for metric in experiment.metrics:
        rows.loc[runs["status"] != "completed", metric.name] = np.nan
        worst = _worst(rows[metric.name], metric)
        rows.loc[runs["status"] == "diverged", metric.name] = worst
    return rows


def _worst(values: pd.Series, metric: Metric) -> float:
    if metric.direction == "none":
        return float("nan")
    return float(values.max() if metric.direction == "lower" else values.min())


def _side(name: str, cell: pd.DataFrame, sweep: _Sweep) -> Side:
    values = cell[sweep.hypothesis.metric]
    condition = cell[sweep.axes].iloc[0].to_dict() if sweep.axes else {}
    diverged = int((cell["status"] == "diverged").sum())
    return Side(name, condition, values.to_dict(), float(values.mean()), diverged)


def _alarms_of_runs(sides: Sequence[Side], cells: Sequence[pd.DataFrame]) -> list[str]:
    alarms = [
        f"{side.name}: {side.diverged} of {len(side.values)} runs diverged and count as the worst "
        "completed value"
        for side in sides
        if side.diverged
    ]
    seeds = len(set().union(*(cell.index for cell in cells)))
    if left_out := seeds - len(sides[0].values):
        alarms.append(f"{left_out} of {seeds} seeds are left out: they lack a value on some side")
    return alarms


def _judge_mean(
    sweep: _Sweep, sides: tuple[Side, ...], values: np.ndarray, alarms: tuple[str, ...]
) -> Judgement:
    """Claims about a mean over seeds: of a paired difference or of a trend."""
    hypothesis = sweep.hypothesis
    if hypothesis.claim == "monotone":
        per_seed, unit = statistics.rank_trend(values), "1"
        test = "one-sided t test of rank correlations"
    else:
        reference = hypothesis.reference
        per_seed = values[:, 0] - (values[:, 1] if reference is None else reference)
        unit = sweep.experiment.metric(hypothesis.metric).unit
        kind = "paired t test" if reference is None else "t test"
        test = f"one-sided {kind}" if hypothesis.claim != "equivalent" else f"two one-sided {kind}s"
    if statistics.is_constant(per_seed):
        test = "one-sided exact sign test"
        alarms = (*alarms, "all seeds gave the same effect, so its spread is unknown")
    estimate = statistics.mean_interval(per_seed, 1 - 2 * hypothesis.alpha)
    p_supported, p_refuted = _p_values(hypothesis, per_seed)
    return Judgement(
        effect=estimate.value,
        low=estimate.low,
        high=estimate.high,
        level=estimate.level,
        n=estimate.n,
        unit=unit,
        per_seed=tuple(per_seed.tolist()),
        bootstrap=statistics.bootstrap_interval(per_seed, estimate.level),
        test=test,
        p_supported=p_supported,
        p_refuted=p_refuted,
        sides=sides,
        alarms=alarms,
    )


def _p_values(hypothesis: Hypothesis, per_seed: np.ndarray) -> tuple[float, float]:
    """P values of the claim and of its opposite."""
    margin = hypothesis.margin
    if hypothesis.claim == "equivalent":
        return statistics.p_within(per_seed, margin), statistics.p_outside(per_seed, margin)
    if hypothesis.claims_more:
        return statistics.p_above(per_seed, margin), statistics.p_below(per_seed, margin)
    return statistics.p_below(per_seed, -margin), statistics.p_above(per_seed, -margin)


def _judge_optimum(
    sweep: _Sweep, sides: tuple[Side, ...], values: np.ndarray, alarms: tuple[str, ...]
) -> Judgement:
    """Claims about where the best level of an axis lies."""
    hypothesis, axis = sweep.hypothesis, sweep.hypothesis.best
    if sweep.experiment.metric(hypothesis.metric).direction == "lower":
        values = -values
    levels = np.asarray([side.condition[axis] for side in sides], dtype=float)
    low, high = hypothesis.interval
    inside = (low <= levels) & (levels <= high)
    best = statistics.best_columns(values)
    resampled = statistics.resampled_best_columns(values)
    effect = float(levels[best].min())
    if best.sum() > 1:
        tied = ", ".join(short(level) for level in levels[best])
        alarms = (*alarms, f"these levels of {axis} tie for the best: {tied}")
    resampled_levels = np.where(resampled, levels, np.inf).min(axis=1)
    quantiles = np.quantile(
        resampled_levels, [hypothesis.alpha, 1 - hypothesis.alpha], method="inverted_cdf"
    )
    return Judgement(
        effect=effect,
        low=float(quantiles[0]),
        high=float(quantiles[1]),
        level=1 - 2 * hypothesis.alpha,
        n=len(values),
        unit=next(a.unit for a in sweep.experiment.axes if a.name == axis),
        per_seed=tuple(levels[values.argmax(axis=1)].tolist()),
        bootstrap=None,
        test="one-sided paired t tests of levels inside against levels outside",
        p_supported=statistics.p_best_among(values, inside),
        p_refuted=statistics.p_best_among(values, ~inside),
        sides=sides,
        alarms=(*alarms, *sweep.alarms_of_edge(axis, effect)),
    )


def short(value: Value) -> str:
    """A number with three significant digits, anything else as it is."""
    return f"{value + 0.0:.3g}" if is_number(value) else str(value)  # + 0.0: no minus zero

"""Read a table of runs for a page: means over seeds with intervals.

Readings treat runs as verdicts do (`method.judging.judgement`): a diverged run counts as the worst
completed value, and a tuned axis gets the level that the selection metric chooses.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy
from numpy.typing import ArrayLike

from llmlab.book import numbers
from llmlab.method.declare.catalog import suggestion
from llmlab.method.declare.experiment import Axis, Experiment, Metric, Value
from llmlab.method.errors import LabError
from llmlab.method.evidence.lookup import Evidence
from llmlab.method.evidence.tables import level_type
from llmlab.method.judging import statistics
from llmlab.method.judging.sides import settled, tuned_rows
from llmlab.method.levels import label
from llmlab.method.wording import counted

LEVEL = 0.95
"""Confidence level of every interval that is not a verdict's."""

ALPHA = 0.05
"""Significance level of differences from the best condition in a table."""

UNIT_NAMES: Mapping[str, str] = {"s": "seconds"}
"""Units that a name may spell out."""


@dataclass(frozen=True)
class Reading:
    """One metric under one condition.

    Attributes:
        condition: the level of every axis, including chosen levels of tuned axes.
        mean: over seeds; NaN if no seed has a value.
        low, high: the 95 % t interval of the mean; NaN with fewer than two seeds.
        by_seed: the value of each seed; a diverged run has the worst completed value.
        diverged: number of diverged runs among them.
        lines: the source lines in `runs.csv`; the first run is in line 2.
        ties: no significant difference from the best of its table (paired t test over seeds, Holm).
    """

    metric: Metric
    condition: Mapping[str, Value]
    mean: float
    low: float
    high: float
    by_seed: Mapping[int, float]
    diverged: int
    lines: tuple[int, ...]
    best: bool = False
    ties: bool = False

    @property
    def n(self) -> int:
        return len(self.by_seed)

    @property
    def text(self) -> str:
        """The mean with its unit, a change with its sign; "diverged" if every run diverged."""
        return "diverged" if self.all_diverged else amount(self.metric, self.mean)

    @property
    def all_diverged(self) -> bool:
        return self.diverged == self.n > 0

    @property
    def lines_text(self) -> str:
        """The lines of `runs.csv`, such as `lines 2 to 11`."""
        first, last = min(self.lines), max(self.lines)
        return f"line {first}" if first == last else f"lines {first} to {last}"

    @property
    def interval_text(self) -> str:
        """The interval in words, with n and diverged runs."""
        show = numbers.changes if self.metric.is_change else numbers.interval
        seeds = f"n = {counted(self.n, 'seed')}"
        if self.n > 1:
            seeds = f"95 % interval {show(self.low, self.high, self.metric.unit)}, {seeds}"
        if self.diverged:
            seeds += f", {self.diverged} diverged (counted as the worst completed value)"
        return seeds


@dataclass(frozen=True)
class Difference:
    """The effect of one level of an axis on a metric, relative to another level, paired by seed.

    Attributes:
        mean: mean of the paired differences, level minus control.
        low, high: their 95 % t interval; NaN with fewer than two pairs.
        by_seed: the difference of each pair.
    """

    metric: Metric
    level: Value
    mean: float
    low: float
    high: float
    by_seed: tuple[float, ...]

    @property
    def n(self) -> int:
        return len(self.by_seed)


def read(
    evidence: Evidence, metric: str, condition: Mapping[str, Value], tuned: Sequence[str] = ()
) -> Reading:
    """Read one metric under one condition.

    Raises:
        LabError: the metric, an axis or a level does not exist, or an axis is left open.
    """
    readings = list(read_cells(evidence, metric, (), condition, tuned))
    return readings[0]


def read_cells(
    evidence: Evidence,
    metric: str,
    by: Sequence[str],
    condition: Mapping[str, Value],
    tuned: Sequence[str] = (),
) -> Iterator[Reading]:
    """Read one metric for each combination of levels of the axes `by`, ordered by the first one.

    Raises:
        LabError: as `read`.
    """
    chosen = find_metric(evidence.experiment, metric)
    axes = [axis.name for axis in evidence.experiment.axes]
    for rows in _cells(evidence, by, condition, tuned):
        yield _reading(chosen, rows, axes)


def read_differences(
    evidence: Evidence,
    metric: str,
    axis: str,
    control: Value,
    condition: Mapping[str, Value],
) -> list[Difference]:
    """Read the effect of every other level of an axis relative to the level `control`.

    Raises:
        LabError: as `read`.
    """
    base = read(evidence, metric, {**condition, axis: control})
    return [
        _difference(reading, base, axis)
        for reading in read_cells(evidence, metric, [axis], condition)
        if reading.condition[axis] != base.condition[axis]
    ]


def find_run(evidence: Evidence, condition: Mapping[str, Value], seed: int) -> str:
    """Find the id of the run under one condition with one seed.

    Raises:
        LabError: as `read`, or no run has the seed.
    """
    rows = _matching(evidence, evidence.runs, condition)
    _check_one_condition(evidence, rows)
    ids = rows.set_index("seed")["run_id"]
    if seed not in ids.index:
        raise LabError(
            f"{evidence.experiment.name} at {evidence.scale} scale has no run with seed {seed}; "
            f"use one of {', '.join(map(str, ids.index))}."
        )
    return str(ids.loc[seed])


def mean_curves(
    evidence: Evidence,
    curves: Sequence[str],
    by: Sequence[str],
    condition: Mapping[str, Value],
    tuned: Sequence[str] = (),
    x: str = "step",
) -> pd.DataFrame:
    """Average curves over seeds: columns curve, those of `by`, step, x, mean, low, high, n.

    Steps that a diverged run never reached are averaged over the other seeds.

    Args:
        x: the horizontal position of a step: "step", "tokens" trained on so far, or the mean of
            another curve, linearly interpolated; shares are in per cent.

    Raises:
        LabError: as `read`.
    """
    averaged = []
    cells = list(_cells(evidence, by, condition, tuned))
    for curve in curves:
        points = _points(evidence, curve)
        for rows in cells:
            mean = _mean_curve(points, rows)
            places = _places(evidence, rows, mean["step"], x)
            averaged.append(mean.assign(curve=curve, x=places, **rows[list(by)].iloc[0]))
    return pd.concat(averaged, ignore_index=True)


def compare_with_best(readings: Sequence[Reading]) -> list[Reading]:
    """Mark the best reading, and those that do not differ significantly from it.

    Tests each against the best, paired by seed, with Holm's correction over all. Marks nothing
    with fewer than three common seeds.
    """
    rated = [reading for reading in readings if not np.isnan(reading.mean)]
    if len(rated) < 2 or rated[0].metric.direction == "none":
        return list(readings)
    sign = 1 if rated[0].metric.direction == "higher" else -1
    best = max(rated, key=lambda reading: sign * reading.mean)
    others = [reading for reading in rated if reading is not best]
    differences = [paired(best, other) for other in others]
    if min(map(len, differences)) < 3:
        return list(readings)
    p_values = statistics.holm([_p_differs(values) for values in differences])
    ties = {id(other) for other, p in zip(others, p_values, strict=True) if p > ALPHA}
    return [
        replace(reading, best=reading is best, ties=id(reading) in ties) for reading in readings
    ]


def _p_differs(differences: np.ndarray) -> float:
    """Two-sided p value of the paired t test; of the sign test if all differences are equal."""
    if statistics.is_constant(differences):
        return min(1.0, 2.0 ** (1 - len(differences))) if differences.any() else 1.0
    above, below = (statistics.t_above(sign * differences, 0.0) for sign in (1, -1))
    return min(1.0, 2 * min(above, below))


def by_level(readings: Sequence[Reading], axis: str | None) -> dict[str | None, list[Reading]]:
    """The readings of each level of an axis, by its text; all under None without an axis."""
    lines: dict[str | None, list[Reading]] = {}
    for reading in readings:
        name = None if axis is None else numbers.level(reading.condition[axis], axis)
        lines.setdefault(name, []).append(reading)
    return lines


def frame(readings: Sequence[Reading], axes: Sequence[str]) -> pd.DataFrame:
    """Readings as a data frame: the levels of the axes, then mean, low, high, n, diverged."""
    return pd.DataFrame(
        [
            {
                **{axis: reading.condition[axis] for axis in axes},
                "mean": reading.mean,
                "low": reading.low,
                "high": reading.high,
                "n": reading.n,
                "diverged": reading.diverged,
            }
            for reading in readings
        ]
    )


def amount(metric: Metric, x: float) -> str:
    """A value of a metric with its unit, a change with its sign."""
    return (numbers.change if metric.is_change else numbers.number)(x, metric.unit)


def condition_text(condition: Mapping[str, Value]) -> str:
    """A condition as text, such as `rank = 8, scaling = rslora`."""
    return ", ".join(
        f"{label(name)} = {numbers.level(level, name)}" for name, level in condition.items()
    )


def heading(column: Metric | Axis) -> str:
    """The name of a metric or an axis, with its unit once: `seconds`, `best epoch`, `save (s)`."""
    is_change = isinstance(column, Metric) and column.is_change
    name, unit = label(column.name), numbers.unit_name(column.unit, is_change=is_change)
    if not unit or _says(name, UNIT_NAMES.get(unit, unit)):
        return name
    return f"{name.removesuffix(f' {unit}')} ({unit})"


def _says(name: str, unit: str) -> bool:
    """Whether a name has its unit in it, in the plural or not, or is a rate in words."""
    words = {unit, unit.removesuffix("s")}
    return not words.isdisjoint(name.split()) or name.replace(" per ", "/") == unit


def find_metric(experiment: Experiment, name: str) -> Metric:
    """The metric with this name; LabError with the nearest name if there is none."""
    return _find(experiment, experiment.metrics, name, "metric")


def find_curve(experiment: Experiment, name: str) -> Metric:
    """The curve with this name; LabError with the nearest name if there is none."""
    return _find(experiment, experiment.curves, name, "curve")


def x_label(experiment: Experiment, x: str) -> str:
    """The name and unit of the horizontal axis of curves; LabError if there is no such axis."""
    if x == "step":
        return "step"
    if x == "tokens":
        return "tokens trained on"
    return heading(find_curve(experiment, x))


def find_axis(experiment: Experiment, name: str) -> Axis:
    """The axis with this name; LabError with the nearest name if there is none."""
    return _find(experiment, experiment.axes, name, "axis")


def _find(experiment: Experiment, things: Sequence, name: str, kind: str) -> Metric | Axis:
    for thing in things:
        if thing.name == name:
            return thing
    known = [thing.name for thing in things]
    raise LabError(
        f"experiment {experiment.name} has no {kind} '{name}'{suggestion(name, known)}; "
        f"known: {', '.join(known) or 'none'}."
    )


def _cells(
    evidence: Evidence,
    by: Sequence[str],
    condition: Mapping[str, Value],
    tuned: Sequence[str],
) -> Iterator[pd.DataFrame]:
    """The settled runs of each combination of levels of `by`, with tuned axes at their best."""
    experiment = evidence.experiment
    for name in (*by, *tuned):
        find_axis(experiment, name)
    rows = _matching(evidence, settled(evidence.runs, experiment), condition)
    groups = _in_order(rows, by).groupby(list(by), sort=False) if by else [((), rows)]
    for _, group in groups:
        cell = tuned_rows(group, experiment, tuned) if tuned else group
        _check_one_condition(evidence, cell)
        yield cell


def _in_order(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The rows ordered by the first axis, then the next; levels keep the order of the table."""
    return rows.sort_values(list(by), key=lambda levels: pd.factorize(levels)[0], kind="stable")


def _points(evidence: Evidence, curve: str) -> pd.DataFrame:
    """The points of one curve in all runs."""
    return evidence.curves[evidence.curves["metric"] == curve]


def _mean_curve(points: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    own = points[points["run_id"].isin(runs["run_id"])]
    steps = own.groupby("step")["value"].agg(["mean", "sem", "count"]).reset_index()
    half = scipy.special.stdtrit(np.maximum(steps["count"] - 1, 1), (1 + LEVEL) / 2) * steps["sem"]
    steps = steps.assign(low=steps["mean"] - half, high=steps["mean"] + half)
    return steps.drop(columns="sem").rename(columns={"count": "n"})


def _places(evidence: Evidence, runs: pd.DataFrame, steps: pd.Series, x: str) -> ArrayLike:
    """The positions of steps on the axis `x` of `mean_curves`."""
    if x == "step":
        return steps
    if x == "tokens":  # all steps take the same number
        own = evidence.curves[evidence.curves["run_id"].isin(runs["run_id"])]
        return steps * (runs["tokens"].sum() / own.groupby("run_id")["step"].max().sum())
    known = _mean_curve(_points(evidence, x), runs)
    in_per_cent = find_curve(evidence.experiment, x).unit in numbers.SHARES
    return np.interp(steps, known["step"], known["mean"] * (100 if in_per_cent else 1))


def _matching(
    evidence: Evidence, rows: pd.DataFrame, condition: Mapping[str, Value]
) -> pd.DataFrame:
    experiment = evidence.experiment
    for name, level in condition.items():
        find_axis(experiment, name)
        levels = rows[name].unique().tolist()
        rows = rows[rows[name] == level_type(experiment, name)(level)]
        if rows.empty:
            raise LabError(
                f"{experiment.name} at {evidence.scale} scale has no runs with {name} = {level}; "
                f"use one of {', '.join(map(str, levels))}."
            )
    return rows


def _check_one_condition(evidence: Evidence, rows: pd.DataFrame) -> None:
    for axis in evidence.experiment.axes:
        levels = rows[axis.name].unique().tolist()
        if len(levels) > 1:
            raise LabError(
                f"the axis {axis.name} of {evidence.experiment.name} is not fixed; set it, as in "
                f"{axis.name}={levels[0]!r}, or name it in by= or tuned=."
            )


def _reading(metric: Metric, rows: pd.DataFrame, axes: Sequence[str]) -> Reading:
    valued = rows[rows[metric.name].notna()]
    values = valued[metric.name].to_numpy()
    low, high = _interval(values)
    return Reading(
        metric=metric,
        condition=rows[axes].iloc[0].to_dict() if axes else {},
        mean=float(values.mean()) if len(values) else np.nan,
        low=low,
        high=high,
        by_seed=dict(zip(valued["seed"].tolist(), values.tolist(), strict=True)),
        diverged=int((rows["status"] == "diverged").sum()),
        lines=tuple(index + 2 for index in rows.index.tolist()),
    )


def _interval(values: np.ndarray) -> tuple[float, float]:
    """The interval of a mean; NaN with fewer than two values."""
    if len(values) < 2:
        return np.nan, np.nan
    estimate = statistics.mean_interval(values, LEVEL)
    return estimate.low, estimate.high


def _difference(reading: Reading, base: Reading, axis: str) -> Difference:
    values = paired(reading, base)
    low, high = _interval(values)
    level = reading.condition[axis]
    return Difference(reading.metric, level, float(values.mean()), low, high, tuple(values))


def paired(first: Reading, second: Reading) -> np.ndarray:
    seeds = sorted({*first.by_seed} & {*second.by_seed})
    return np.array([first.by_seed[seed] - second.by_seed[seed] for seed in seeds])

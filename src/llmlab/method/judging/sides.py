"""The sides of a comparison: the runs of each, and the levels of its tuned axes.

Each side is compared at the level of its tuned axes with the best mean of a metric over seeds, so
every side has the same tuning budget. The metric is usually the experiment's selection metric. The
choice uses the same seeds as the comparison, and another draw of seeds might choose another level.
A conclusion therefore has to hold for every level that may be the best: all those that no other
level beats beyond chance. If the compared metric itself chooses, its best over all levels is
compared.

If the best level is at the edge of the grid, better ones may lie beyond it; nothing lies below 0.
If all sides of a share lie at its floor or its ceiling, a difference that needs room beyond it
cannot show.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from llmlab.method.declare.experiment import Experiment, Metric, Value
from llmlab.method.errors import LabError
from llmlab.method.evidence.tables import level_type
from llmlab.method.judging import statistics
from llmlab.method.judging.ledger import Hypothesis
from llmlab.method.levels import is_number, label, level

RARELY = 0.05
"""Levels chosen by a smaller share of bootstrap samples are ruled out as the best."""


class NotInTableError(LabError):
    """The table has no runs, or no values, for the requested condition."""


@dataclass(frozen=True)
class Side:
    """One side of a comparison, or one level of a sweep, as it was compared.

    Attributes:
        name: "treatment", "control", or the level, such as "rank = 8".
        condition: the level of every axis, including the chosen levels of tuned axes.
        values: the metric for each seed; a diverged run has the worst completed value.
        mean: mean of these values.
        diverged: number of diverged runs among them.
        rivals: for each other level of the tuned axes that may be the best, the metric by seed.
    """

    name: str
    condition: Mapping[str, Value]
    values: Mapping[int, float]
    mean: float
    diverged: int
    rivals: Mapping[str, Mapping[int, float]]


@dataclass(frozen=True)
class Edge:
    """A chosen level at an edge of the grid."""

    axis: str
    level: Value
    end: str
    beyond: float

    @property
    def alarm(self) -> str:
        best = level(self.level, self.axis)
        return f"the best {label(self.axis)}, {best}, is the {self.end} level tried"

    @property
    def remedy(self) -> str:
        beyond = level(self.beyond, self.axis)
        return f"the grid of {label(self.axis)} must extend to at least {beyond}"


@dataclass(frozen=True)
class Table:
    """The settled runs of an experiment, seen by one hypothesis."""

    hypothesis: Hypothesis
    experiment: Experiment
    runs: pd.DataFrame

    @staticmethod
    def of(hypothesis: Hypothesis, experiment: Experiment, runs: pd.DataFrame) -> "Table":
        """The columns of a table of runs that the hypothesis uses, settled."""
        chooser = hypothesis.chosen_by or experiment.selection_metric
        metrics = dict.fromkeys(filter(None, [hypothesis.metric, chooser]))
        axes = [axis.name for axis in experiment.axes]
        seen = runs[[*axes, "seed", "status", *metrics]]
        return Table(hypothesis, experiment, settled(seen, experiment))

    @property
    def axes(self) -> list[str]:
        return [axis.name for axis in self.experiment.axes]

    @property
    def chooser(self) -> str | None:
        """The metric that chooses the levels of tuned axes."""
        return self.hypothesis.chosen_by or self.experiment.selection_metric

    def fixed(self) -> list[tuple[str, Mapping[str, Value]]]:
        """The name and the fixed conditions of each side or level compared."""
        hypothesis, axis = self.hypothesis, self.hypothesis.swept
        if axis is None:
            return list(hypothesis.sides.items())
        return [
            (f"{axis} = {level(value, axis)}", {**hypothesis.treatment, axis: value})
            for value in self.levels(axis)
        ]

    def levels(self, axis: str) -> list[Value]:
        """The levels of an axis in the order of the table."""
        return self.runs[axis].unique().tolist()

    def cells(self, name: str, fixed: Mapping[str, Value]) -> list[pd.DataFrame]:
        """The runs of one side by seed: one cell per level of the tuned axes."""
        rows = self.runs
        for axis, value in fixed.items():
            rows = rows[rows[axis] == level_type(self.experiment, axis)(value)]
            if rows.empty:
                raise NotInTableError(f"This scale has no runs with {axis} = {level(value, axis)}.")
        tuned = list(self.hypothesis.tuned)
        for axis in set(self.axes).difference(tuned):
            if rows[axis].nunique() > 1:
                raise NotInTableError(f"The table has several levels of {axis} for the {name}.")
        cells = choices(rows, tuned, self.experiment.metric(self.chooser)) if tuned else [rows]
        return [cell.set_index("seed") for cell in cells]

    def side(self, name: str, fixed: Mapping[str, Value]) -> tuple[Side, pd.Series]:
        """One side at its best level, and its metric by seed, with gaps."""
        cells = self.cells(name, fixed)
        best, rivals = self._best(cells)
        metric = self.hypothesis.metric
        side = Side(
            name=name,
            condition=best[self.axes].iloc[0].to_dict() if self.axes else {},
            values=best[metric].to_dict(),
            mean=float(best[metric].mean()),
            diverged=int((best["status"] == "diverged").sum()),
            rivals={self._tuned_level(cell): cell[metric].to_dict() for cell in rivals},
        )
        return side, best[metric]

    def _best(self, cells: list[pd.DataFrame]) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
        """The cell that is best by the choosing metric, and the others that may be."""
        if not self.hypothesis.tuned:
            return cells[0], []
        chooser = self.experiment.metric(self.chooser)
        chosen = best_cell(cells, chooser)
        shares = statistics.choice_shares(goodness(cells, chooser))
        return chosen, [
            cell
            for cell, share in zip(cells, shares, strict=True)
            if share >= RARELY and cell is not chosen
        ]

    def _tuned_level(self, cell: pd.DataFrame) -> str:
        return ", ".join(level(cell[axis].tolist()[0], axis) for axis in self.hypothesis.tuned)

    def edges(self, side: Side) -> list[Edge]:
        """The tuned axes whose best level is at an edge of the grid."""
        found = (self.edge(axis, side.condition[axis]) for axis in self.hypothesis.tuned)
        return [edge for edge in found if edge]

    def edge(self, axis: str, level: Value) -> Edge | None:
        """The edge of the grid at a level, or None if the level is not at an edge.

        A lowest level of 0 is no edge: nothing lies below it.
        """
        levels = self.levels(axis)
        if len(levels) < 2 or not is_number(level) or min(levels) < level < max(levels):
            return None
        if level == 0 == min(levels):
            return None
        ordered = sorted(levels)
        ratio = max(min((b / a for a, b in pairwise(ordered) if a > 0), default=2.0), 1.0)
        if level == ordered[0]:
            return Edge(axis, level, "lowest", level / min(ratio, 2.0))
        return Edge(axis, level, "highest", level * min(ratio, 2.0))


def tuned_rows(rows: pd.DataFrame, experiment: Experiment, tuned: Sequence[str]) -> pd.DataFrame:
    """The rows at the levels of the tuned axes with the best mean of the selection metric.

    Args:
        rows: settled runs that differ only in tuned axes and seed.

    Raises:
        NotInTableError: no run has a value of the selection metric.
    """
    chooser = experiment.metric(experiment.selection_metric)
    return best_cell(choices(rows, tuned, chooser), chooser)


def choices(rows: pd.DataFrame, tuned: Sequence[str], chooser: Metric) -> list[pd.DataFrame]:
    """The rows of each combination of levels of the tuned axes that may be chosen.

    A level of 0 at which all seeds are equal does nothing. It ends the grid and is no choice: what
    is measured there is arithmetic.
    """
    cells = [cell for _, cell in rows.groupby(list(tuned), sort=False)]
    working = [
        cell
        for cell in cells
        if (cell[list(tuned)] != 0).all(axis=None) or cell[chooser.name].nunique() > 1
    ]
    return working or cells


def best_cell(cells: Sequence[pd.DataFrame], chooser: Metric) -> pd.DataFrame:
    """The cell with the best mean of a metric.

    Raises:
        NotInTableError: no run has a value of it.
    """
    means = pd.Series([cell[chooser.name].mean() for cell in cells]).dropna()
    if means.empty:
        raise NotInTableError(f"No run has a value of {chooser.name} to tune by.")
    return cells[means.idxmin() if chooser.direction == "lower" else means.idxmax()]


def goodness(cells: Sequence[pd.DataFrame], chooser: Metric) -> np.ndarray:
    """The goodness of each cell at each seed, [n, cells]: higher is better; NaN if missing."""
    values = pd.concat([cell[chooser.name] for cell in cells], axis=1).to_numpy()
    return -values if chooser.direction == "lower" else values


def settled(runs: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Set the metrics of diverged runs to the worst completed value and of failed runs to NaN.

    Covers those metrics of the experiment that `runs` has.

    A metric without a direction has no worst value: it becomes NaN for diverged runs, too.
    """
    if (runs["status"] == "completed").all():
        return runs
    metrics = [metric for metric in experiment.metrics if metric.name in runs]
    values = runs[[metric.name for metric in metrics]].where(runs["status"] == "completed")
    worst = pd.Series({each.name: _worst(values[each.name], each) for each in metrics})
    values.loc[runs["status"] == "diverged"] = worst.to_numpy()
    return runs.assign(**values)


def _worst(values: pd.Series, metric: Metric) -> float:
    if metric.direction == "none":
        return float("nan")
    return float(values.max() if metric.direction == "lower" else values.min())


def alarms_of_runs(sides: Sequence[Side], seeds: Iterable[int], kept: int) -> list[str]:
    """Alarms about diverged runs and excluded seeds."""
    alarms = [
        f"{side.name}: {side.diverged} of {len(side.values)} runs diverged and count as the worst "
        "completed value"
        for side in sides
        if side.diverged
    ]
    n_seeds = len(set(seeds))
    if left_out := n_seeds - kept:
        alarms.append(f"{left_out} of {n_seeds} seeds are left out: they lack a value on some side")
    return alarms


NO_ROOM = 0.02
"""Distance from 0 or 1 within which two shares have no room to differ."""


@dataclass(frozen=True)
class NoRoom:
    """The end of a share's scale, "floor" or "ceiling", at which all sides lie."""

    metric: str
    end: str

    @property
    def alarm(self) -> str:
        return f"all sides lie at the {self.end} of {label(self.metric)}"

    @property
    def remedy(self) -> str:
        return f"another budget must take {label(self.metric)} off its {self.end}"

    def hides(self, hypothesis: Hypothesis) -> bool:
        """Whether what is claimed, or its opposite, needs room beyond this end."""
        decidable = {"floor": "greater", "ceiling": "less"}
        return hypothesis.claim != decidable[self.end]


def no_room(sides: Sequence[Side], metric: Metric) -> NoRoom | None:
    """The end of the scale at which all sides of a share lie, if they do.

    A difference of shares, which may be negative, has no such end, and a single side is compared
    with a number, not with what another side had room for.
    """
    lowest = min(min(side.values.values()) for side in sides)
    if metric.unit != "share" or len(sides) < 2 or lowest < 0:
        return None
    ends = {"floor": 0.0, "ceiling": 1.0}
    found = (
        name for name, end in ends.items() if all(abs(side.mean - end) < NO_ROOM for side in sides)
    )
    return next((NoRoom(metric.name, name) for name in found), None)


def short(value: Value) -> str:
    """A number with three significant digits; anything else as text."""
    return f"{value + 0.0:.3g}" if is_number(value) else str(value)  # + 0.0 avoids "-0"

"""Draw the loss around the end of a run, and along the path from there to another minimum.

The sources are views (`llmlab.method.evidence.views`) of the kinds "plane" (`distances`, and `loss`
with a row for each distance along the second direction) and "path" (`shares` of the path, and a
list for each metric).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from pydantic import Field, TypeAdapter, ValidationError

from llmlab.book import style
from llmlab.book.evidence import readings
from llmlab.book.views.kinds import NonEmptyList, Number
from llmlab.method.declare.experiment import Value
from llmlab.method.documents import first_mistake
from llmlab.method.errors import LabError
from llmlab.method.evidence.lookup import Evidence
from llmlab.method.evidence.tables import level_type
from llmlab.method.judging import statistics

RawView = Mapping[str, Any]
"""A view as plain JSON."""

Checked = TypeVar("Checked")
LEVELS = 9
"""Number of contour lines on a plane, with a constant factor between them."""


@dataclass(frozen=True)
class Plane:
    """Losses on a square grid: one row per distance along the second direction."""

    distances: Annotated[list[Number], Field(min_length=2)]
    loss: list[list[Annotated[float, Field(gt=0, lt=1e100)]]]

    def __post_init__(self) -> None:
        side = len(self.distances)
        if [len(row) for row in self.loss] != [side] * side:
            raise ValueError(f"the losses are not a square of {side} distances")


@dataclass(frozen=True)
class PathMetric:
    """A metric at each share of a path."""

    shares: NonEmptyList[Number]
    values: NonEmptyList[Number]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.shares):
            raise ValueError("there is not one value for each share")


def draw_planes(planes: Mapping[str, RawView], unit: str, footer: str) -> Figure:
    """Draw loss planes side by side with the same contour levels; a cross marks each run's end.

    Args:
        planes: by the title of each panel.
        unit: unit of the loss.

    Raises:
        LabError: a view is not a plane of losses above zero.
    """
    checked = {
        title: _checked(Plane, plane, f"the plane '{title}'") for title, plane in planes.items()
    }
    losses = np.concatenate([np.ravel(plane.loss) for plane in checked.values()])
    levels = np.geomspace(losses.min() * (1 - 1e-9), losses.max() * (1 + 1e-9), LEVELS)
    figure, row = style.subplots(1, len(planes), height=3.1, sharey=True, squeeze=False)
    for axes, (title, plane) in zip(row[0], checked.items(), strict=True):
        drawn = _draw_plane(axes, plane, levels)
        axes.set_title(title)
        axes.set_xlabel("first direction")
    row[0, 0].set_ylabel("second direction")
    bar = figure.colorbar(drawn, ax=row, ticks=levels[::2], format="{x:.2g}", shrink=0.9)
    bar.ax.minorticks_off()
    bar.set_label(f"loss ({unit})")
    style.sign(figure, footer)
    return figure


def _draw_plane(axes: Axes, plane: Plane, levels: np.ndarray) -> Any:
    distances, loss = plane.distances, np.array(plane.loss)
    look = {"levels": levels, "norm": LogNorm(levels[0], levels[-1])}
    drawn = axes.contourf(distances, distances, loss, cmap="viridis_r", **look)
    axes.contour(distances, distances, loss, colors="white", linewidths=0.5, **look)
    axes.plot(0, 0, "x", color=style.INK)
    axes.set_aspect("equal")
    axes.grid(visible=False)
    return drawn


def path_means(
    evidence: Evidence, view: str, metric: str, condition: Mapping[str, Value]
) -> pd.DataFrame:
    """Mean over seeds with 95 % interval at each share of a path: shares, mean, low, high, n.

    Args:
        condition: the level of every axis.

    Raises:
        LabError: a level does not exist, no run has such a path, or a path is damaged.
    """
    runs = evidence.runs
    for axis, level in condition.items():
        runs = runs[runs[axis] == level_type(evidence.experiment, axis)(level)]
    paths = [evidence.views.get(run_id, {}).get(view) for run_id in runs["run_id"]]
    paths = [path for path in paths if isinstance(path, Mapping)]
    if not paths:
        raise LabError(
            f"no run of {evidence.experiment.name} at {evidence.scale} scale with "
            f"{readings.condition_text(condition)} has a path '{view}'; look at another condition."
        )
    where = f"the path '{view}' of {evidence.experiment.name}"
    checked = [_checked(PathMetric, {**path, "values": path.get(metric)}, where) for path in paths]
    if len({len(path.values) for path in checked}) > 1:
        raise LabError(
            f"{where} does not have the same number of points in each run; rerun the experiment."
        )
    values = np.array([path.values for path in checked])
    estimates = [
        statistics.mean_interval(column, readings.LEVEL) if len(column) > 1 else None
        for column in values.T
    ]
    return pd.DataFrame(
        {
            "shares": checked[0].shares,
            "mean": values.mean(axis=0),
            "low": [np.nan if one is None else one.low for one in estimates],
            "high": [np.nan if one is None else one.high for one in estimates],
            "n": len(paths),
        }
    )


def draw_paths(
    paths: Mapping[str, Mapping[str, pd.DataFrame]], labels: Sequence[str], ends: str, footer: str
) -> Figure:
    """Draw metrics along straight paths: one panel per metric, one line per path.

    Args:
        paths: the frames of `path_means`, by the name of the path, then by metric.
        labels: labels of the vertical axes, in the order of the metrics.
        ends: label of the horizontal axis: what it leads from and to.
    """
    figure, rows = style.subplots(
        len(labels), height=2.2 * len(labels) + 0.5, sharex=True, squeeze=False
    )
    for index, (name, by_metric) in enumerate(paths.items()):
        look = {"color": style.CYCLE[index], "marker": style.MARKERS[index], "label": name}
        for axes, label, path in zip(rows[:, 0], labels, by_metric.values(), strict=True):
            x = 100 * np.array(path["shares"])
            style.error_line(axes, x, path["mean"], path["low"], path["high"], **look)
            axes.set_ylabel(label)
    rows[0, 0].legend()
    rows[-1, 0].set_xlabel(ends)
    style.sign(figure, footer)
    return figure


def _checked(form: type[Checked], raw: RawView, where: str) -> Checked:
    try:
        return TypeAdapter(form).validate_python(raw)
    except ValidationError as error:
        raise LabError(
            f"{where} is damaged: {first_mistake(error)}; rerun the experiment."
        ) from None

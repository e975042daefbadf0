"""Figures drawn from a table of runs alone."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from llmlab.book import numbers, style
from llmlab.book.evidence.readings import Difference, Reading, heading
from llmlab.method.declare.experiment import Axis, Metric, Value
from llmlab.method.levels import is_number, label

WIDE_AXIS = 10
"""Ratio of the largest to the smallest level from which an axis becomes logarithmic."""
LONGEST_ROW = 45
"""Most characters of level names in a row; longer rows are slanted."""

SIDE_BY_SIDE = 0.5
"""Width shared by the lines at a level that is not a number; levels are 1 apart."""

LEGEND_ENTRY, LEGEND_LETTER, LEGEND_ROW = 0.6, 0.07, 0.2
"""Inches: the width of an entry without its name, of a letter of it, and the height of a row."""

MANY = 1e5
"""From here on, the horizontal axis of curves shows 100k instead of 100000."""

Line = Sequence[Reading]
Panel = Mapping[str | None, Line]
"""The lines of one panel by their names in the legend; None for a single line."""


def draw_levels(
    panels: Sequence[Panel], axis: Axis, legend: str | None, footer: str, together: str = ""
) -> Figure:
    """Draw panels of metrics over the levels of an axis.

    Faint dots are seeds; bars are 95 % intervals; a cross marks a mean that includes diverged runs.
    Lines join levels that are numbers. Levels that are names are not joined; points of several
    lines are drawn side by side.

    Args:
        legend: title of the legend; None if it needs none.
        together: what the metrics of one panel have in common.
    """
    figure, rows = style.subplots(
        len(panels), height=0.5 + 2.7 * len(panels), sharex=True, squeeze=False
    )
    for axes, panel in zip(rows[:, 0], panels, strict=True):
        readings = [reading for line in panel.values() for reading in line]
        positions = _positions(readings, axis.name)
        looks = _looks(panel, joined=all(map(is_number, positions)))
        for (name, line), (aside, look) in zip(panel.items(), looks, strict=True):
            places = [positions[reading.condition[axis.name]] + aside for reading in line]
            _draw_line(axes, line, places, name, look)
        _label_values(axes, readings, together)
        _label_levels(axes, positions, axis.name)
    if len(panels[0]) > 1:
        _add_legend(figure, rows[0, 0], legend)
    rows[-1, 0].set_xlabel(heading(axis))
    style.sign(figure, footer)
    return figure


@dataclass(frozen=True)
class Curves:
    """What a figure of curves shows, and along which axes.

    Attributes:
        points: columns `line`, `panels`, curve, x, mean, low, high; shares from 0 to 1.
        metric: the curve, or the first of several.
        line: the column whose values get a line each.
        panels: the column whose values get a panel each; None for one panel.
        x: the name of the horizontal axis, with its unit.
        together: what several curves have in common.
        log_y: whether the value axis is logarithmic.
    """

    points: pd.DataFrame
    metric: Metric
    line: str
    panels: str | None = None
    x: str = "step"
    together: str = ""
    log_y: bool = False

    @property
    def columns(self) -> list[str]:
        """The columns that tell the lines of the figure apart."""
        return [column for column in (self.panels, self.line) if column]

    @property
    def are_several(self) -> bool:
        """Whether more than one curve of a run is shown."""
        return self.points["curve"].nunique() > 1

    def by_panel(self) -> list[tuple[Value | None, pd.DataFrame]]:
        """The points of each panel, by its level."""
        if self.panels is None:
            return [(None, self.points)]
        return list(self.points.groupby(self.panels, sort=False))


def draw_curves(curves: Curves, footer: str) -> Figure:
    """Draw means over seeds with 95 % intervals as bands."""
    parts, metric = curves.by_panel(), curves.metric
    figure, row = style.subplots(1, len(parts), sharey=True, squeeze=False)
    for axes, (level, part) in zip(row[0], parts, strict=True):
        _draw_bands(axes, part, curves.line, _scale(metric))
        if curves.panels is not None:
            axes.set_title(_level_name(level, curves.panels))
        axes.set_xlabel(curves.x)
        if curves.points["x"].max() >= MANY:
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    several = curves.are_several
    named = _named_together(curves.together, metric) if several else heading(metric)
    row[0, 0].set_ylabel(named)
    if curves.log_y:
        _make_logarithmic(row[0, 0], _scale(metric) * curves.points["mean"].min())
    if curves.points[curves.line].nunique() > 1:
        _add_legend(figure, row[0, 0], None if several else label(curves.line))
    style.sign(figure, footer)
    return figure


def draw_confusion(columns: Mapping[str, Line], axis: Axis, together: str, footer: str) -> Figure:
    """Draw shares in per cent, one row per level of an axis, one column per name.

    Args:
        together: what the columns have in common.
    """
    levels = [
        _level_name(reading.condition[axis.name], axis.name)
        for reading in next(iter(columns.values()))
    ]
    shares = 100 * np.array([[reading.mean for reading in line] for line in columns.values()]).T
    figure, axes = style.subplots(height=1.9 + 0.42 * len(levels))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        ink = "white" if share > 60 else style.INK if share else style.MUTED
        axes.text(column, row, f"{share:.0f}", ha="center", va="center", color=ink)
    axes.set_xticks(range(len(columns)), columns, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(levels)), levels)
    axes.set_xlabel(f"{together} (% of the runs of a row)")
    axes.set_ylabel(label(axis.name))
    axes.grid(visible=False)
    style.sign(figure, footer)
    return figure


def draw_differences(
    differences: Sequence[Difference], axis: str, control: str, footer: str
) -> Figure:
    """Draw the effect of each level of an axis: mean, 95 % interval, and faintly each seed."""
    figure, axes = style.subplots(height=1.1 + 0.42 * len(differences))
    metric = differences[0].metric
    scale = _scale(metric)
    axes.axvline(0, color=style.INK, linewidth=1)
    for row, found in enumerate(differences):
        axes.plot(
            scale * np.array(found.by_seed), [row] * found.n, ".", color=style.BLUE, alpha=0.3
        )
        ends = scale * np.array([[found.mean - found.low], [found.high - found.mean]])
        axes.errorbar(scale * found.mean, row, xerr=ends, fmt="o", color=style.BLUE, capsize=3)
    levels = [_level_name(found.level, axis) for found in differences]
    axes.set_yticks(range(len(differences)), levels)
    axes.set_ylim(len(differences) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    unit = numbers.unit_name(metric.unit, is_change=True)
    axes.set_xlabel(f"{label(metric.name)} minus that of {label(axis)} = {control} ({unit})")
    style.sign(figure, footer)
    return figure


def _add_legend(figure: Figure, axes: Axes, title: str | None) -> None:
    """Add a legend of the lines of one panel above all panels, where it covers no data."""
    lines, names = axes.get_legend_handles_labels()
    fitting = int(style.WIDTH / (LEGEND_ENTRY + LEGEND_LETTER * max(map(len, names))))
    rows = -(-len(names) // max(fitting, 1))
    figure.set_figheight(figure.get_figheight() + LEGEND_ROW * (rows + (title is not None)))
    look = {"loc": "outside upper left", "ncols": -(-len(names) // rows), "alignment": "left"}
    figure.legend(lines, names, title=title, **look)


def _draw_bands(axes: Axes, curves: pd.DataFrame, line: str, scale: float) -> None:
    """Draw a line and a band for each value of a column."""
    groups = curves.groupby(line, sort=False)
    ordered = all(is_number(level) for level, _ in groups)
    colours = style.sequence(len(groups)) if ordered else _distinct(len(groups))
    for (level, curve), colour in zip(groups, colours, strict=False):
        mean, low, high = (scale * curve[end] for end in ("mean", "low", "high"))
        axes.plot(curve["x"], mean, color=colour, label=_level_name(level, line))
        axes.fill_between(curve["x"], low, high, color=colour, alpha=0.2, linewidth=0)


def _draw_line(axes: Axes, line: Line, places: Sequence[float], name: str | None, look) -> None:
    scale = _scale(line[0].metric)
    for place, reading in zip(places, line, strict=True):
        seeds = scale * np.array(list(reading.by_seed.values()))
        axes.plot([place] * reading.n, seeds, ".", color=look["color"], alpha=0.3, zorder=1)
    means = scale * np.array([reading.mean for reading in line])
    low, high = scale * np.array([[reading.low, reading.high] for reading in line]).T
    style.error_line(axes, places, means, low, high, label=name, **look)
    diverged = [reading.diverged > 0 for reading in line]
    axes.plot(np.array(places)[diverged], means[diverged], "kx", markersize=9, zorder=4)


def _looks(panel: Panel, *, joined: bool) -> list[tuple[float, dict[str, Any]]]:
    """The horizontal shift, colour and marker of each line.

    Colours are distinct for few lines and ordered for many. Points that are not joined are drawn
    side by side, within `SIDE_BY_SIDE` around the level's position.
    """
    count = len(panel)
    shifts = np.zeros(count) if joined else SIDE_BY_SIDE * (np.arange(count) - (count - 1) / 2)
    linestyle = "-" if joined else "none"
    return [
        (shift / count, {"color": colour, "marker": marker, "linestyle": linestyle})
        for shift, colour, marker in zip(
            shifts, _distinct(count), itertools.cycle(style.MARKERS), strict=False
        )
    ]


def _distinct(lines: int) -> Sequence[str]:
    """Distinct colours, as long as there are enough of them."""
    return style.CYCLE if lines <= len(style.CYCLE) else style.sequence(lines)


def _positions(readings: Sequence[Reading], axis: str) -> dict[Value, float]:
    """The position of each level: its value if levels are numbers, otherwise 0, 1, 2, …

    If the others spread far, 0 is a step below the lowest of them on their logarithmic axis.
    """
    levels = list(dict.fromkeys(reading.condition[axis] for reading in readings))
    if not all(map(is_number, levels)):
        return {level: float(place) for place, level in enumerate(levels)}
    positions = {level: float(level) for level in levels}
    lowest, *others = sorted(positions.values())
    if lowest == 0 and len(others) > 1 and others[-1] >= WIDE_AXIS**2 * others[0]:
        positions[0] = others[0] ** 2 / others[1]
    return positions


def _label_levels(axes: Axes, positions: Mapping[Value, float], axis: str) -> None:
    places = list(positions.values())
    if min(places) > 0 and max(places) >= WIDE_AXIS * min(places):
        axes.set_xscale("log")
    names = [numbers.level(level, axis) for level in positions]
    axes.set_xticks(places, names)
    axes.set_xticks([], minor=True)
    if not all(map(is_number, positions)):
        axes.set_xlim(min(places) - 0.5, max(places) + 0.5)
    if sum(map(len, names)) > LONGEST_ROW:
        for name in axes.get_xticklabels():
            name.set(rotation=30, ha="right", rotation_mode="anchor")


def _label_values(axes: Axes, readings: Line, together: str) -> None:
    """Label the value axis with the metric, or what several share; shares span 2 points or more."""
    metrics = {reading.metric.name: reading.metric for reading in readings}
    metric = readings[0].metric
    axes.set_ylabel(heading(metric) if len(metrics) == 1 else _named_together(together, metric))
    low, high = axes.get_ylim()
    if metric.unit in numbers.SHARES and high - low < 2:
        axes.set_ylim((low + high) / 2 - 1, (low + high) / 2 + 1)


def _named_together(together: str, metric: Metric) -> str:
    """What several metrics have in common, with their unit, or the unit alone."""
    return together + numbers.bracket(metric.unit) if together else numbers.unit_name(metric.unit)


def _level_name(level: Value, axis: str) -> str:
    return label(numbers.level(level, axis))


def _make_logarithmic(axes: Axes, lowest: float) -> None:
    """Make the value axis logarithmic, with plain numbers, also between powers of ten if they fit.

    Args:
        lowest: the smallest mean; bands are cut off below half of it.
    """
    axes.set_yscale("log", nonpositive="clip")
    low, high = axes.get_ylim()
    if low < lowest / 2:
        axes.set_ylim(low := lowest / 2, high)
    axes.yaxis.set_major_formatter("{x:g}")
    if 10 * low <= high < 100 * low:
        axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.yaxis.set_minor_formatter("{x:g}" if high < 100 * low else NullFormatter())


def _scale(metric: Metric) -> float:
    return 100.0 if metric.unit in numbers.SHARES else 1.0

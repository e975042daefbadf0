"""The figures that are drawn from a table of runs alone."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullFormatter

from llmlab.book import numbers, style
from llmlab.book.evidence.readings import Difference, Reading, heading, label
from llmlab.method.declare.experiment import Axis, Metric, Value
from llmlab.method.judging.ledger import is_number

WIDE_AXIS = 10
"""An axis whose largest level is this many times its smallest is drawn on a logarithmic scale."""
LONGEST_ROW = 45
"""Characters of the names of levels that stand side by side; more are slanted."""

SIDE_BY_SIDE = 0.5
"""Width that the lines of a level without a number share, where levels are one apart."""

MANY = 1e5
"""From here on the horizontal axis of curves says 100k instead of 100000."""

Line = Sequence[Reading]
Panel = Mapping[str | None, Line]
"""The lines of one panel by the names that the legend gives them; None for a single line."""


def draw_levels(
    panels: Sequence[Panel], axis: Axis, legend: str | None, footer: str, together: str = ""
) -> Figure:
    """Panels of metrics over the levels of an axis.

    The seeds stand behind the means as faint dots; bars are 95 % intervals; a cross marks a mean
    in which diverged runs count. Levels that are numbers are joined by lines; names are not, and
    those of several lines stand side by side.

    Args:
        legend: its title; None for lines that need none.
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
        _label_levels(axes, positions)
    if len(panels[0]) > 1:
        rows[0, 0].legend(title=legend)
    rows[-1, 0].set_xlabel(heading(axis))
    _sign(figure, footer)
    return figure


def draw_curves(
    curves: pd.DataFrame,
    metric: Metric,
    line: str,
    log_y: bool,
    footer: str,
    together: str = "",
    x: str = "step",
    panels: str | None = None,
) -> Figure:
    """Means over seeds with their 95 % intervals as bands, a line for each value of a column.

    Args:
        curves: columns `line`, `panels`, x, mean, low, high; shares from 0 to 1.
        metric: the curve, or the first of several.
        together: what several curves have in common.
        x: the name of the horizontal axis, with its unit.
        panels: a column with a panel side by side for each of its values; None for one panel.
    """
    parts = [(None, curves)] if panels is None else list(curves.groupby(panels, sort=False))
    figure, row = style.subplots(1, len(parts), sharey=True, squeeze=False)
    several = curves["curve"].nunique() > 1
    for axes, (level, part) in zip(row[0], parts, strict=True):
        _draw_bands(axes, part, line, _scale(metric))
        if panels is not None:
            axes.set_title(_level_name(level))
        axes.set_xlabel(x)
        if curves["x"].max() >= MANY:
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    row[0, 0].set_ylabel(_named_together(together, metric) if several else heading(metric))
    if log_y:
        _make_logarithmic(row[0, 0], _scale(metric) * curves["mean"].min())
    if curves[line].nunique() > 1:
        row[0, -1].legend(title=None if several else label(line), ncols=2 if len(parts) == 1 else 1)
    _sign(figure, footer)
    return figure


def draw_confusion(columns: Mapping[str, Line], axis: Axis, together: str, footer: str) -> Figure:
    """Shares in per cent, a row for each level of an axis, a column for each name.

    Args:
        together: what the columns have in common.
    """
    levels = [_level_name(reading.condition[axis.name]) for reading in next(iter(columns.values()))]
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
    _sign(figure, footer)
    return figure


def draw_differences(
    differences: Sequence[Difference], axis: str, control: str, footer: str
) -> Figure:
    """What each level of an axis changes: the mean, its 95 % interval, and faintly each seed."""
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
    axes.set_yticks(range(len(differences)), [_level_name(found.level) for found in differences])
    axes.set_ylim(len(differences) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    unit = "points" if metric.unit in numbers.SHARES else numbers.unit_name(metric.unit)
    axes.set_xlabel(f"{label(metric.name)} minus that of {axis} = {control} ({unit})")
    _sign(figure, footer)
    return figure


def _draw_bands(axes: Axes, curves: pd.DataFrame, line: str, scale: float) -> None:
    """A line and a band for each value of a column."""
    groups = curves.groupby(line, sort=False)
    ordered = all(is_number(level) for level, _ in groups)
    colours = style.sequence(len(groups)) if ordered else _distinct(len(groups))
    for (level, curve), colour in zip(groups, colours, strict=False):
        mean, low, high = (scale * curve[end] for end in ("mean", "low", "high"))
        axes.plot(curve["x"], mean, color=colour, label=_level_name(level))
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
    """How far aside each line stands, and its colour and marker.

    Colours are ordered for many lines, distinct for few. Points that are not joined stand side by
    side, within `SIDE_BY_SIDE` of a level's place.
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
    """Colours that are told apart at a glance, as long as there are enough of them."""
    return style.CYCLE if lines <= len(style.CYCLE) else style.sequence(lines)


def _positions(readings: Sequence[Reading], axis: str) -> dict[Value, float]:
    """Where each level stands: at its value if levels are numbers, side by side otherwise."""
    levels = list(dict.fromkeys(reading.condition[axis] for reading in readings))
    if all(is_number(level) for level in levels):
        return {level: float(level) for level in levels}
    return {level: float(place) for place, level in enumerate(levels)}


def _label_levels(axes: Axes, positions: Mapping[Value, float]) -> None:
    places = list(positions.values())
    if min(places) > 0 and max(places) >= WIDE_AXIS * min(places):
        axes.set_xscale("log")
    names = [numbers.level(level) for level in positions]
    axes.set_xticks(places, names)
    axes.set_xticks([], minor=True)
    if all(map(is_number, positions)):
        return
    axes.set_xlim(min(places) - 0.5, max(places) + 0.5)
    if sum(map(len, names)) > LONGEST_ROW:
        for name in axes.get_xticklabels():
            name.set(rotation=30, ha="right", rotation_mode="anchor")


def _label_values(axes: Axes, readings: Line, together: str) -> None:
    """Name the metric, or what several share; per cent get a range of two points at least."""
    metrics = {reading.metric.name: reading.metric for reading in readings}
    metric = readings[0].metric
    axes.set_ylabel(heading(metric) if len(metrics) == 1 else _named_together(together, metric))
    low, high = axes.get_ylim()
    if metric.unit in numbers.SHARES and high - low < 2:
        axes.set_ylim((low + high) / 2 - 1, (low + high) / 2 + 1)


def _named_together(together: str, metric: Metric) -> str:
    """What several metrics of one unit have in common, with that unit, or the unit alone."""
    return together + numbers.bracket(metric.unit) if together else numbers.unit_name(metric.unit)


def _level_name(level: Value) -> str:
    return label(numbers.level(level))


def _make_logarithmic(axes: Axes, lowest: float) -> None:
    """A logarithmic value axis with plain numbers, also between powers of ten if there is room.

    Args:
        lowest: the smallest mean; a band that reaches below zero is cut off below it.
    """
    axes.set_yscale("log", nonpositive="clip")
    low, high = axes.get_ylim()
    if low < lowest / 2:
        axes.set_ylim(low := lowest / 2, high)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}" if high < 10 * low else NullFormatter())


def _scale(metric: Metric) -> float:
    return 100.0 if metric.unit in numbers.SHARES else 1.0


def _sign(figure: Figure, footer: str) -> None:
    figure.supxlabel(footer, x=0.01, ha="left", fontsize=7, color=style.MUTED)

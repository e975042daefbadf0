"""The figures that are drawn from a table of runs alone."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from llmlab.book import numbers, style
from llmlab.book.readings import Reading, label
from llmlab.method.experiment import Axis, Metric, Value
from llmlab.method.ledger import is_number

WIDE_AXIS = 16
"""An axis whose largest level is this many times its smallest is drawn on a logarithmic scale."""


def draw_levels(
    panels: Sequence[Sequence[Reading]], axis: Axis, by: str | None, footer: str
) -> Figure:
    """One panel per metric: its mean over the levels of an axis, one line per level of `by`.

    The seeds stand behind the means as faint dots; bars are 95 % intervals.
    """
    figure, rows = style.subplots(
        len(panels), height=0.5 + 2.7 * len(panels), sharex=True, squeeze=False
    )
    for axes, readings in zip(rows[:, 0], panels, strict=True):
        positions = _positions(readings, axis.name)
        for index, (name, line) in enumerate(_lines(readings, by).items()):
            _draw_line(axes, line, axis.name, positions, name, index)
        axes.set_ylabel(_named(readings[0].metric))
        _label_levels(axes, positions)
    if by is not None:
        rows[0, 0].legend(title=label(by))
    rows[-1, 0].set_xlabel(label(axis.name) + numbers.bracket(axis.unit))
    _sign(figure, footer)
    return figure


def draw_curves(
    curves: pd.DataFrame, metric: Metric, line: str, log_y: bool, footer: str
) -> Figure:
    """Means over seeds with their 95 % intervals as bands, a line for each value of a column.

    Args:
        curves: columns `line`, step, mean, low, high; shares from 0 to 1.
        metric: the curve, or the first of several.
    """
    figure, axes = style.subplots()
    groups = curves.groupby(line, sort=False)
    scale = _scale(metric)
    for (level, curve), colour in zip(groups, style.sequence(len(groups)), strict=True):
        mean, low, high = (scale * curve[end] for end in ("mean", "low", "high"))
        axes.plot(curve["step"], mean, color=colour, label=_level_name(level))
        axes.fill_between(curve["step"], low, high, color=colour, alpha=0.2, linewidth=0)
    axes.set_xlabel("step")
    several = curves["curve"].nunique() > 1
    axes.set_ylabel(numbers.unit_name(metric.unit) if several else _named(metric))
    if log_y:
        axes.set_yscale("log")
    if len(groups) > 1:
        axes.legend(title=None if several else label(line), ncols=2)
    _sign(figure, footer)
    return figure


def draw_metrics(readings: Sequence[Reading], footer: str) -> Figure:
    """Several metrics of one unit side by side, each a mean with its 95 % interval."""
    figure, axes = style.subplots(height=0.9 + 0.45 * len(readings))
    places = np.arange(len(readings))[::-1]
    for place, reading in zip(places, readings, strict=True):
        scale = _scale(reading.metric)
        axes.errorbar(
            scale * reading.mean,
            place,
            xerr=scale * _arms([reading]),
            color=style.BLUE,
            marker="o",
            capsize=3,
        )
    axes.set_yticks(places, [label(reading.metric.name) for reading in readings])
    axes.set_ylim(-0.6, len(readings) - 0.4)
    axes.set_xlabel(numbers.unit_name(readings[0].metric.unit))
    axes.grid(axis="y", visible=False)
    _sign(figure, footer)
    return figure


def _lines(readings: Sequence[Reading], by: str | None) -> Mapping[str | None, list[Reading]]:
    lines: dict[str | None, list[Reading]] = {}
    for reading in readings:
        name = None if by is None else numbers.level(reading.condition[by])
        lines.setdefault(name, []).append(reading)
    return lines


def _draw_line(
    axes: Axes,
    line: Sequence[Reading],
    axis: str,
    positions: Mapping[Value, float],
    name: str | None,
    index: int,
) -> None:
    scale = _scale(line[0].metric)
    x = [positions[reading.condition[axis]] for reading in line]
    for place, reading in zip(x, line, strict=True):
        seeds = scale * np.array(list(reading.by_seed.values()))
        axes.plot([place] * reading.n, seeds, ".", color=style.CYCLE[index], alpha=0.3, zorder=1)
    means = scale * np.array([reading.mean for reading in line])
    low, high = scale * np.array([[reading.low, reading.high] for reading in line]).T
    style.error_line(axes, x, means, low, high, label=name, index=index)
    diverged = [(p, m) for p, m, reading in zip(x, means, line, strict=True) if reading.diverged]
    if diverged:
        axes.plot(*zip(*diverged, strict=True), "x", color="black", markersize=9, zorder=4)


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
    axes.set_xticks(places, [numbers.level(level) for level in positions])
    axes.set_xticks([], minor=True)


def _named(metric: Metric) -> str:
    return label(metric.name) + numbers.bracket(metric.unit)


def _level_name(level: Value) -> str:
    return label(numbers.level(level))


def _arms(readings: Sequence[Reading]) -> np.ndarray:
    """Lengths of the error bars, [2, n]; none where there is no interval."""
    arms = [[r.mean - r.low for r in readings], [r.high - r.mean for r in readings]]
    return np.nan_to_num(arms)


def _scale(metric: Metric) -> float:
    return 100.0 if metric.unit in numbers.SHARES else 1.0


def _sign(figure: Figure, footer: str) -> None:
    figure.supxlabel(footer, x=0.01, ha="left", fontsize=7, color=style.MUTED)

"""Where a figure puts the levels of an axis."""

import pytest
from matplotlib.figure import Figure

from llmlab.book.evidence.figures import draw_levels
from llmlab.book.evidence.readings import Reading
from llmlab.method.declare.experiment import Axis, Metric

METRIC = Metric("loss", "What is lost.", "nats", "lower")


def figure_of(levels: tuple[float, ...]) -> Figure:
    line = [Reading(METRIC, {"rate": level}, 1.0, 0.9, 1.1, {0: 1.0}, 0, (2,)) for level in levels]
    return draw_levels([{None: line}], Axis("rate", "How fast."), None, "")


@pytest.mark.parametrize(
    ("levels", "scale", "places"),
    [
        ((0.0, 0.1, 0.5), "linear", [0.0, 0.1, 0.5]),
        ((0.001, 0.01, 0.1), "log", [0.001, 0.01, 0.1]),
        ((0.0, 0.001, 0.01, 0.1), "log", [0.0001, 0.001, 0.01, 0.1]),
    ],
)
def test_zero_is_a_step_below_levels_that_spread_far(levels, scale, places) -> None:
    axes = figure_of(levels).axes[0]
    assert axes.get_xscale() == scale
    assert list(axes.get_xticks()) == pytest.approx(places)
    assert axes.get_xticklabels()[0].get_text() == ("0" if levels[0] == 0 else "1e-3")


def test_names_that_would_touch_are_slanted() -> None:
    few, many = (0.001, 0.01, 0.1), tuple(6.25e-5 * 2**power for power in range(10))
    slants = [
        {name.get_rotation() for name in figure.axes[0].get_xticklabels()}
        for figure in map(figure_of, (few, many))
    ]
    assert slants == [{0.0}, {30.0}]

"""Where a figure puts the levels of an axis."""

import pytest

from llmlab.book.evidence.figures import draw_levels
from llmlab.book.evidence.readings import Reading
from llmlab.method.declare.experiment import Axis, Metric

METRIC = Metric("loss", "What is lost.", "nats", "lower")


def drawn(levels: tuple[float, ...]) -> tuple[str, list[float], list[str]]:
    """The scale of the axis, the place of each level on it, and its name."""
    line = [Reading(METRIC, {"rate": level}, 1.0, 0.9, 1.1, {0: 1.0}, 0, (2,)) for level in levels]
    axes = draw_levels([{None: line}], Axis("rate", "How fast."), None, "").axes[0]
    names = [name.get_text() for name in axes.get_xticklabels()]
    return axes.get_xscale(), list(axes.get_xticks()), names


@pytest.mark.parametrize(
    ("levels", "scale", "places"),
    [
        ((0.0, 0.1, 0.5), "linear", [0.0, 0.1, 0.5]),
        ((0.001, 0.01, 0.1), "log", [0.001, 0.01, 0.1]),
        ((0.0, 0.001, 0.01, 0.1), "log", [0.0001, 0.001, 0.01, 0.1]),
    ],
)
def test_zero_is_a_step_below_levels_that_spread_far(levels, scale, places) -> None:
    drawn_scale, drawn_places, names = drawn(levels)
    assert drawn_scale == scale
    assert drawn_places == pytest.approx(places)
    assert names[0] == ("0" if levels[0] == 0 else "1e-3")

"""How often a spike of a known height is found, and nothing else, beside noise of a known level."""

from collections.abc import Callable

import numpy as np
import pytest

from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.curves.spikes import spikes

N_CURVES = 24
LINES: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    lambda t: 8 * (1 + 30 * t) ** -0.6,
    lambda t: np.full(len(t), 2.0),
    lambda t: np.maximum(2.0, 5 - 9 * t),
    lambda t: 2 + np.abs(t - 0.4),
)

BEFORE = {
    (0, 0, 4): (0.875, 3),
    (0, 0.01, 2): (0.66, 0),
    (0, 0.01, 4): (0.875, 3),
    (0, 0.05, 2): (0.79, 0),
    (1e-4, 0.01, 2): (0.625, 1),
    (1e-4, 0.01, 16): (1, 0),
    (1e-3, 0, 2): (0.58, 35),
    (1e-3, 0.01, 4): (0.16, 1),
    (1e-3, 0.02, 2): (0.2, 35),
    (1e-3, 0.02, 16): (0.83, 0),
    (1e-2, 0, 4): (1, 0),
    (1e-2, 0.3, 4): (1, 0),
    (3e-2, 0, 2): (1, 0),
}
"""By noise and height, as shares of the loss, and printed digits: the share of the curves that were
called rightly by the rules up to commit 0d03f79, and the steps that they called a spike wrongly."""


def curves(noise: float, height: float, digits: int) -> list[tuple[Curve, list[int]]]:
    """Seeded curves, each with the steps at which the loss jumps up, if the spike is that high."""
    drawn = []
    for seed in range(N_CURVES):
        draw = np.random.default_rng(seed)
        t = np.linspace(0, 1, (60, 150)[seed // 4 % 2])
        line = LINES[seed % 4](t)
        at = int(draw.integers(len(t) // 2, len(t) - 6))
        values = line * (1 + draw.normal(0, noise, len(t)))
        values[at : at + (1, 4)[seed // 8 % 2]] += height * line[at]
        curve = Curve.of(enumerate(np.round(values, digits).tolist()))
        drawn.append((curve, [at] if curve.values[at] > curve.values[at - 1] and height else []))
    return drawn


def counts(noise: float, height: float, digits: int) -> tuple[float, int]:
    """The share of curves that are called rightly, and the number of wrong spikes."""
    found = [
        ([spike.step for spike in spikes(curve)], truth)
        for curve, truth in curves(noise, height, digits)
    ]
    right = float(np.mean([steps == truth for steps, truth in found]))
    return right, sum(len(set(steps) - set(truth)) for steps, truth in found)


@pytest.mark.parametrize("cell", BEFORE, ids=str)
def test_spikes_are_found_at_least_as_often_as_before(cell: tuple[float, float, int]) -> None:
    right, wrong = counts(*cell)
    before_right, before_wrong = BEFORE[cell]
    assert right >= before_right
    assert wrong <= before_wrong

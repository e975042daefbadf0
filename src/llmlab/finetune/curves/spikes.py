"""Spikes: jumps of a loss that stand out among those around them."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.curves.smoothing import ROBUST, noise_level, noise_of, resolution

NEAR = 7
"""Neighbouring jumps that tell how steep a curve is: more than a spike has."""

UNIT_JUMP = 0.15
"""Units of the last digit that jumps scatter by at least: 1 unit stays below the threshold of 8."""

MANY = 5
"""Different values that tell whether they were printed with one decimal place alone."""


@dataclass(frozen=True)
class Spike:
    """A jump of the loss between two neighbouring points.

    Attributes:
        step: where the jump ends.
        z: the jump in robust standard deviations of the jumps around it.
        before, peak: the loss before the jump and at its highest until it was over.
        recovered_at: the first step at which the loss was down again; None if it never was.
    """

    step: int
    z: float
    before: float
    peak: float
    recovered_at: int | None


def spikes(curve: Curve, *, threshold: float = 8.0, window: int = 31) -> tuple[Spike, ...]:
    """Jumps that stand out among those around them.

    What counts is how far a jump exceeds the median of the jumps next to it, so that a steep fall
    is not one long anomaly and a jump within it is seen. Its z is that excess over the usual one
    around, or over the noise of the whole curve where that is larger.

    Args:
        threshold: smallest z of a spike.
        window: jumps that tell the usual excess.
    """
    curve = curve.finite()
    if curve is None or len(curve) < 5:
        return ()
    z = _jump_scores(curve.y, window)
    found: list[Spike] = []
    for place in np.flatnonzero((z > threshold) & (np.diff(curve.y) > 0)) + 1:
        recovered_at = found[-1].recovered_at if found else None
        if found and (recovered_at is None or curve.steps[place] <= recovered_at):
            continue
        found.append(_spike(curve, int(place), float(z[place - 1])))
    return tuple(found)


def _jump_scores(values: np.ndarray, window: int) -> np.ndarray:
    """Robust z of each difference of neighbouring values, beside the trend around it."""
    jumps = np.diff(values)
    excess = jumps - _medians(jumps, NEAR)
    smallest = max(math.sqrt(2) * noise_level(values), 1e-12 * max(1.0, float(np.ptp(values))))
    floor = np.maximum(smallest, _rounding_of_jumps(values, window))
    return excess / np.maximum(ROBUST * _medians(np.abs(excess), window), floor)


def _rounding_of_jumps(values: np.ndarray, window: int) -> np.ndarray:
    """For each jump what rounding adds to its noise: less where values stand still than flicker.

    Rounding alone moves a jump by one unit of the last digit at most: one unit is never a spike.
    """
    unit = resolution(values)
    if len(np.unique(values)) < MANY:
        unit = min(unit, 0.01)
    bends = np.clip(np.diff(values, n=2, prepend=values[0]), -unit, unit)
    around = np.pad(bends**2, window // 2)
    flicker = np.sqrt(np.convolve(around, np.full(window, 1 / window), "valid") / 3)
    return np.clip(flicker, UNIT_JUMP * unit, unit / math.sqrt(6))


def _medians(values: np.ndarray, window: int) -> np.ndarray:
    """For each value the median of those around it, `window` in all; of fewer at the ends."""
    half, places = window // 2, np.arange(len(values))
    around = np.sort(sliding_window_view(np.pad(values, half, constant_values=np.inf), window))
    n_around = np.minimum(places + half, places[-1]) - np.maximum(places - half, 0) + 1
    return (around[places, (n_around - 1) // 2] + around[places, n_around // 2]) / 2


def _spike(curve: Curve, place: int, z: float) -> Spike:
    before = curve.values[place - 1]
    margin = 2 * noise_of(curve.y)
    later = np.flatnonzero(curve.y[place + 1 :] <= before + margin)
    over = place + 1 + int(later[0]) if later.size else None
    peak = float(curve.y[place:over].max())
    return Spike(curve.steps[place], z, before, peak, None if over is None else curve.steps[over])

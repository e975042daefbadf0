"""Events in a loss curve: plateau, spike, divergence, over-fitting.

Each function answers with what it found, the step and the numbers that it rests on, or None. What
counts as a change is told from the noise of the curve itself (`smoothing.noise_level`).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.curves.smoothing import ROBUST, noise_level, running_median

SURE = 4.0
"""Standard errors that make a difference more than noise."""

MEDIAN_ERROR = math.sqrt(math.pi / 2)
"""Standard error of a median over that of a mean, for normal noise and many values."""

NEAR = 7
"""Neighbouring jumps that tell how steep a curve is: more than a spike has."""


@dataclass(frozen=True)
class Plateau:
    """From `step` on the loss improves no more than noise.

    Attributes:
        share: of the steps of the run that were over when it began.
        level: the median loss on it.
        left: how far the smoothed loss still fell after `step`.
        tolerance: what would have counted as an improvement.
    """

    step: int
    share: float
    level: float
    left: float
    tolerance: float


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


@dataclass(frozen=True)
class Divergence:
    """The run broke: the loss is not finite from `step` on, or ended above its start.

    Attributes:
        step: the first one that is not finite, or the one from which the loss rose for good.
        lowest: the loss before it rose.
        last: the loss at the end; NaN or infinite where it is not finite.
    """

    step: int
    lowest: float
    last: float


@dataclass(frozen=True)
class Overfitting:
    """The validation loss turned at `step` and rose, while the training loss went on falling.

    Attributes:
        lowest, last: validation loss at its minimum and at the end of the run.
        training_then, training_last: training loss around the same two times.
    """

    step: int
    lowest: float
    last: float
    training_then: float
    training_last: float


@dataclass(frozen=True)
class EarlyRise:
    """The loss rose above its start before it fell.

    Attributes:
        step: of the highest loss within the beginning of the run.
        start, peak: the first loss and the highest.
    """

    step: int
    start: float
    peak: float


def plateau(curve: Curve, *, smallest: float = 0.01, shortest: float = 0.2) -> Plateau | None:
    """The plateau that the curve ends in.

    It begins at the first step after which the smoothed loss falls by no more than noise, or than
    the share `smallest` of itself, if that is more.

    Args:
        shortest: share of the run that a plateau lasts at least; at its very end every curve has
            nothing left to fall.
    """
    curve = curve.finite()
    if curve is None or len(curve) < 5:
        return None
    width = _window(curve)
    smooth = running_median(curve.y, width)
    smooth[-(width // 2) :] = smooth[-(width // 2) - 1]  # medians of fewer values are noisier
    error = MEDIAN_ERROR * noise_level(curve.y) * math.sqrt(2 / width)
    tolerance = np.maximum(SURE * error, smallest * np.abs(smooth))
    left = smooth - np.minimum.accumulate(smooth[::-1])[::-1]
    start = int(np.argmax(left <= tolerance))
    length = curve.x[-1] - curve.x[0]
    share = float((curve.x[start] - curve.x[0]) / length)
    if share > 1 - shortest:
        return None
    level = float(np.median(curve.y[start:]))
    return Plateau(curve.steps[start], share, level, float(left[start]), float(tolerance[start]))


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
    for place in np.flatnonzero(z > threshold) + 1:
        recovered_at = found[-1].recovered_at if found else None
        if found and (recovered_at is None or curve.steps[place] <= recovered_at):
            continue
        found.append(_spike(curve, int(place), float(z[place - 1])))
    return tuple(found)


def divergence(curve: Curve) -> Divergence | None:
    """Whether the loss left the finite numbers, or ended above where it began."""
    broken = np.flatnonzero(~np.isfinite(curve.y))
    finite = curve.finite()
    if broken.size:
        lowest = min(finite.values) if finite else math.nan
        return Divergence(curve.steps[broken[0]], lowest, curve.values[-1])
    if len(curve) < 5:
        return None
    width = _window(curve)
    start, last = np.median(curve.y[: width // 2 + 1]), np.median(curve.y[-width:])
    if last - start <= max(SURE * noise_level(curve.y), 0.02 * abs(start)):
        return None
    lowest = int(np.argmin(running_median(curve.y, width)))
    return Divergence(curve.steps[lowest], float(curve.y[lowest]), float(last))


def overfitting(
    training: Curve, validation: Curve, *, smallest: float = 0.05
) -> Overfitting | None:
    """Whether the validation loss turned while the training loss went on falling.

    Args:
        smallest: rise that counts, as a share of the lowest validation loss; noise counts never.
    """
    training, validation = training.finite(), validation.finite()
    if training is None or validation is None or min(len(training), len(validation)) < 5:
        return None
    width = _window(validation)
    smooth = running_median(validation.y, min(3, width))
    turn, last = int(np.argmin(smooth)), float(np.median(validation.y[-width:]))
    lowest, step = float(smooth[turn]), validation.steps[turn]
    rise = last - lowest
    if rise <= max(SURE * noise_level(validation.y), smallest * abs(lowest)):
        return None
    then, now = _level_around(training, step), level_at_end(training)
    return Overfitting(step, lowest, last, then, now) if now < then else None


def early_rise(curve: Curve, *, beginning: float = 0.1, smallest: float = 0.05) -> EarlyRise | None:
    """Whether the loss rose above its start within the beginning of the run.

    Meant for a validation loss, whose points are of the same items: the losses of single batches
    differ too much.

    Args:
        beginning: share of the run that is looked at.
        smallest: rise that counts, as a share of the first loss.
    """
    curve = curve.finite()
    if curve is None:
        return None
    first, last = curve.steps[0], curve.steps[-1]
    part = curve.between(first, first + beginning * (last - first))
    highest = int(np.argmax(part.y))
    start, peak = part.values[0], part.values[highest]
    if peak - start <= smallest * abs(start):
        return None
    return EarlyRise(part.steps[highest], start, peak)


def halfway(curve: Curve) -> float:
    """Share of the run that was over when half of the whole fall was done.

    Near 0 for a curve with an elbow; 1/2 for a straight line; 1 where nothing fell.
    """
    curve = curve.finite()
    if curve is None or len(curve) < 2:
        return 1.0
    smooth = running_median(curve.y, min(3, _window(curve)))
    half = (smooth[0] + smooth.min()) / 2
    if smooth[0] <= half:
        return 1.0
    place = int(np.argmax(smooth <= half))
    return float((curve.x[place] - curve.x[0]) / (curve.x[-1] - curve.x[0]))


def level_at_end(curve: Curve, share: float = 0.1) -> float:
    """Mean of the finite values in the last `share` of the run; NaN if there are none."""
    first, last = curve.steps[0], curve.steps[-1]
    part = curve.between(last - share * (last - first), last).finite()
    return float(part.y.mean()) if part else math.nan


def _window(curve: Curve) -> int:
    """A twentieth of the points, odd, three at least: long beside noise, short beside the run."""
    return max(3, len(curve) // 20 * 2 + 1) if len(curve) >= 3 else 1


def _level_around(curve: Curve, step: int) -> float:
    """The mean value within a twentieth of the run around `step`."""
    reach = max(1.0, 0.05 * (curve.x[-1] - curve.x[0]))
    part = curve.between(step - reach, step + reach)
    return float(part.y.mean()) if part else float(np.interp(step, curve.x, curve.y))


def _jump_scores(values: np.ndarray, window: int) -> np.ndarray:
    """Robust z of each difference of neighbouring values, beside the trend around it."""
    jumps = np.diff(values)
    excess = jumps - [np.median(around) for around in _neighbours(jumps, NEAR)]
    floor = max(math.sqrt(2) * noise_level(values), 1e-12 * max(1.0, float(np.ptp(values))))
    spreads = [ROBUST * np.median(np.abs(around)) for around in _neighbours(excess, window)]
    return excess / np.maximum(spreads, floor)


def _neighbours(values: np.ndarray, window: int) -> Iterator[np.ndarray]:
    """For each value those around it and itself, `window` in all; fewer at the ends."""
    half = window // 2
    return (values[max(0, place - half) : place + half + 1] for place in range(len(values)))


def _spike(curve: Curve, place: int, z: float) -> Spike:
    before = curve.values[place - 1]
    margin = 2 * noise_level(curve.y)
    later = np.flatnonzero(curve.y[place + 1 :] <= before + margin)
    over = place + 1 + int(later[0]) if later.size else None
    peak = float(curve.y[place:over].max())
    return Spike(curve.steps[place], z, before, peak, None if over is None else curve.steps[over])

"""Events in a loss curve: plateau, spike, divergence, over-fitting, values that are not numbers.

Each function answers with what it found, the step and the numbers that it rests on, or None. What
counts as a change is told from the noise of the curve itself (`smoothing.noise_level`), and from
the digits that it was printed with.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.curves.smoothing import ROBUST, noise_level, resolution, running_median

SURE = 4.0
"""Standard errors beyond which a difference is more than noise."""

MEDIAN_ERROR = math.sqrt(math.pi / 2)
"""Standard error of a median over that of a mean, for normal noise and many values."""

NEAR = 7
"""Neighbouring jumps that tell how steep a curve is: more than a spike has."""

UNIT_JUMP = 0.15
"""Units of the last digit that jumps scatter by at least: 1 unit stays below the threshold of 8."""

MANY = 5
"""Different values that tell whether they were printed with one decimal place alone."""

ABRUPT = 0.05
"""Share of its first value above which a loss does not become zero in one step by learning."""

PLAINLY_FLAT = 0.05
"""Share of its level by which a plateau in a curve of few points falls at most."""

ENOUGH_FOR_NOISE = 10
"""Points of a curve that tell how much of a larger fall is noise."""

SURELY_RISING = 4
"""So many validation losses in a row, each above the last, are not noise."""


@dataclass(frozen=True)
class Stretch:
    """Neighbouring points of a curve that have something in common.

    Attributes:
        first, last: steps of its two ends.
        points: how many there are.
        value: the first of them.
        over_at: the first step after it; None if the curve ends in it.
    """

    first: int
    last: int
    points: int
    value: float
    over_at: int | None


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
    """The run broke and did not come back: the loss ended NaN, infinite, or above its start.

    Attributes:
        step: from which on most values are not finite, or from which the loss rose for good.
        lowest: the loss before it rose.
        last: the loss at the end; NaN or infinite if it is not finite.
    """

    step: int
    lowest: float
    last: float


@dataclass(frozen=True)
class Rise:
    """The loss turned at `step` and ended higher.

    Attributes:
        lowest, last: smoothed loss where it turned and at the end.
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
    the share `smallest` of itself, if that is more. It has more points than the smoothing joins.

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
    error = MEDIAN_ERROR * _noise(curve.y) * math.sqrt(2 / width)
    tolerance = np.maximum(SURE * error, smallest * np.abs(smooth))
    left = smooth - np.minimum.accumulate(smooth[::-1])[::-1]
    start = int(np.argmax(left <= tolerance))
    length = curve.x[-1] - curve.x[0]
    share = float((curve.x[start] - curve.x[0]) / length)
    if share > 1 - shortest or len(curve) - start <= width:
        return None
    level = float(np.median(curve.y[start:]))
    if left[start] > PLAINLY_FLAT * abs(level) and len(curve) < ENOUGH_FOR_NOISE:
        return None
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
    for place in np.flatnonzero((z > threshold) & (np.diff(curve.y) > 0)) + 1:
        recovered_at = found[-1].recovered_at if found else None
        if found and (recovered_at is None or curve.steps[place] <= recovered_at):
            continue
        found.append(_spike(curve, int(place), float(z[place - 1])))
    return tuple(found)


def not_finite(curve: Curve) -> tuple[Stretch, ...]:
    """Where the curve is NaN or infinite."""
    return _stretches(curve, ~np.isfinite(curve.y))


def zeros(curve: Curve) -> tuple[Stretch, ...]:
    """Where the loss is exactly zero without having come near it before.

    A loss that learning brings down prints as zero only after it was small. One that falls to zero
    at once, or begins there and stays, was not computed.
    """
    finite = curve.finite()
    usual = abs(finite.values[0]) if finite else math.nan
    found = []
    for stretch in _stretches(curve, curve.y == 0):
        place = int(np.searchsorted(curve.x, stretch.first))
        before = abs(curve.values[place - 1]) if place else math.nan
        begins = not math.isfinite(before) and stretch.points > 1
        if begins or before > ABRUPT * usual:
            found.append(stretch)
    return tuple(found)


def divergence(curve: Curve) -> Divergence | None:
    """Whether the loss ended NaN, infinite, or above where it began.

    A loss that comes back did not diverge: see `not_finite`.
    """
    broken, finite = ~np.isfinite(curve.y), curve.finite()
    if broken[-1]:
        share_from_here = np.cumsum(broken[::-1])[::-1] / np.arange(len(curve), 0, -1)
        start = int(np.argmax(broken & (share_from_here > 1 / 2)))
        lowest = min(finite.values) if finite else math.nan
        return Divergence(curve.steps[start], lowest, curve.values[-1])
    if len(finite) < 5:
        return None
    start = max(finite.values[0], float(np.median(finite.y[: _window(finite) // 2 + 1])))
    risen = rise(finite, smallest=0)
    if risen is None or risen.last - start <= max(SURE * _noise(finite.y), 0.02 * abs(start)):
        return None
    return Divergence(risen.step, risen.lowest, risen.last)


def validation_divergence(training: Curve | None, validation: Curve) -> Divergence | None:
    """As `divergence`, of a validation loss; one that rises by over-fitting does not diverge."""
    found = divergence(validation)
    if found and math.isfinite(found.last) and training and overfitting(training, validation):
        return None
    return found


def rise(curve: Curve, *, smallest: float = 0.1) -> Rise | None:
    """Whether the loss turned and ended higher.

    Args:
        smallest: rise that counts, as a share of the lowest loss; noise never counts.
    """
    curve = curve.finite()
    if curve is None or len(curve) < 5:
        return None
    width = _window(curve)
    smooth = running_median(curve.y, width)
    lowest, last = float(_before_end(smooth, width).min()), float(np.median(curve.y[-width:]))
    if last - lowest <= max(SURE * _noise(curve.y), smallest * abs(lowest)):
        return None
    turn = np.flatnonzero((curve.y <= lowest) | (smooth <= lowest))[-1]
    return Rise(curve.steps[turn], lowest, last)


def overfitting(
    training: Curve, validation: Curve, *, smallest: float = 0.05
) -> Overfitting | None:
    """Whether the validation loss turned while the training loss went on falling.

    Args:
        smallest: rise that counts, as a share of the lowest validation loss; noise never counts.
    """
    training, validation = training.finite(), validation.finite()
    if training is None or validation is None:
        return None
    if min(len(training), len(validation)) < SURELY_RISING:
        return None
    width = _window(validation)
    smooth = _before_end(running_median(validation.y, min(3, width)), width)
    turn, last = int(np.argmin(smooth)), float(np.median(validation.y[-width:]))
    lowest, step = float(smooth[turn]), validation.steps[turn]
    noise = 0.0 if _only_rises(validation) else SURE * _noise(validation.y)
    if last - lowest <= max(noise, smallest * abs(lowest)):
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


def _before_end(smooth: np.ndarray, width: int) -> np.ndarray:
    """The smoothed values up to the middle of the last window of `width` values.

    Later ones join fewer values than the median of that window, so that a steep last step would
    look like a turn.
    """
    return smooth[: len(smooth) - width // 2]


def _level_around(curve: Curve, step: int) -> float:
    """The mean value within a twentieth of the run around `step`."""
    reach = max(1.0, 0.05 * (curve.x[-1] - curve.x[0]))
    part = curve.between(step - reach, step + reach)
    return float(part.y.mean()) if part else float(np.interp(step, curve.x, curve.y))


def _noise(values: np.ndarray) -> float:
    """The noise of the values, and no less than what rounding them to their digits adds.

    A curve that only falls, or only rises, bends without any noise.
    """
    changes = np.diff(values)
    is_smooth = (changes < 0).all() or (changes > 0).all()
    rounding = resolution(values) / math.sqrt(12)
    return rounding if is_smooth else max(noise_level(values), rounding)


def _only_rises(curve: Curve) -> bool:
    """Whether each value after the lowest is above the one before it, for long enough."""
    after = curve.y[int(np.argmin(curve.y)) :]
    return len(after) >= SURELY_RISING and bool((np.diff(after) > 0).all())


def _stretches(curve: Curve, inside: np.ndarray) -> tuple[Stretch, ...]:
    """The stretches of neighbouring points that lie `inside`."""
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False))
    return tuple(
        Stretch(
            first=curve.steps[start],
            last=curve.steps[stop - 1],
            points=int(stop - start),
            value=curve.values[start],
            over_at=curve.steps[stop] if stop < len(curve) else None,
        )
        for start, stop in edges.reshape(-1, 2)
    )


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
    margin = 2 * _noise(curve.y)
    later = np.flatnonzero(curve.y[place + 1 :] <= before + margin)
    over = place + 1 + int(later[0]) if later.size else None
    peak = float(curve.y[place:over].max())
    return Spike(curve.steps[place], z, before, peak, None if over is None else curve.steps[over])

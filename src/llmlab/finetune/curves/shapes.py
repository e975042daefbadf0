"""Shapes of a loss curve: plateau, divergence, rise, overfitting.

Each function answers with what it found, the step and the numbers that it rests on, or None. What
counts as a change is told from the noise of the curve itself, and from the digits that it was
printed with (`smoothing.noise_of`).
"""

import math
from dataclasses import dataclass

import numpy as np

from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.curves.smoothing import noise_of, running_median

SURE = 4.0
"""Standard errors beyond which a difference is more than noise."""

MEDIAN_ERROR = math.sqrt(math.pi / 2)
"""Standard error of a median over that of a mean, for normal noise and many values."""

PLAINLY_FLAT = 0.05
"""Largest fall of a plateau in a curve of few points, as a share of its level."""

ENOUGH_FOR_NOISE = 10
"""Points of a curve that tell how much of a larger fall is noise."""

SURELY_RISING = 4
"""So many validation losses in a row, each above the last, are not noise."""


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
    error = MEDIAN_ERROR * noise_of(curve.y) * math.sqrt(2 / width)
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
    if risen is None or risen.last - start <= max(SURE * noise_of(finite.y), 0.02 * abs(start)):
        return None
    return Divergence(risen.step, risen.lowest, risen.last)


def validation_divergence(training: Curve | None, validation: Curve) -> Divergence | None:
    """As `divergence`, of a validation loss; one that rises by overfitting does not diverge."""
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
    if last - lowest <= max(SURE * noise_of(curve.y), smallest * abs(lowest)):
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
    noise = 0.0 if _only_rises(validation) else SURE * noise_of(validation.y)
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


def _only_rises(curve: Curve) -> bool:
    """Whether each value after the lowest is above the one before it, for long enough."""
    after = curve.y[int(np.argmin(curve.y)) :]
    return len(after) >= SURELY_RISING and bool((np.diff(after) > 0).all())

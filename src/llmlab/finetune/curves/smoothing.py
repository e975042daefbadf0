"""The line behind a noisy curve, and how noisy it is."""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

ROBUST = 1.4826
"""Times a normal sample's median absolute deviation is its standard deviation."""


def ema(values: ArrayLike, beta: float) -> np.ndarray:
    """Exponential moving average without the pull towards zero of its first steps.

    m_t = beta m_{t-1} + (1 - beta) x_t from m_0 = 0, divided by 1 - beta^t: the correction of Adam
    (1412.6980, section 3). A constant stays what it is.

    Raises:
        ValueError: beta is outside [0, 1).
    """
    if not 0 <= beta < 1:
        raise ValueError(f"beta must be at least 0 and below 1, not {beta}.")
    mean, averages = 0.0, []
    for count, value in enumerate(np.asarray(values, dtype=float), start=1):
        mean = beta * mean + (1 - beta) * value
        averages.append(mean / (1 - beta**count))
    return np.asarray(averages)


def running_median(values: ArrayLike, width: int) -> np.ndarray:
    """The median of each value and its neighbours, `width` in all; fewer towards the ends.

    A single outlier leaves no trace in it, and a curve that only falls stays as it is.

    Args:
        width: odd; the window is centred, and shrinks evenly towards both ends.

    Raises:
        ValueError: width is even or below 1.
    """
    if width < 1 or width % 2 == 0:
        raise ValueError(f"the width must be odd and at least 1, not {width}.")
    values = np.asarray(values, dtype=float)
    n, half = len(values), min(width // 2, (len(values) - 1) // 2)
    medians = values.copy()
    if half:
        medians[half : n - half] = np.median(sliding_window_view(values, 2 * half + 1), axis=1)
    for place in range(1, half):
        medians[place] = np.median(values[: 2 * place + 1])
        medians[n - 1 - place] = np.median(values[n - 1 - 2 * place :])
    return medians


def noise_level(values: ArrayLike) -> float:
    """Standard deviation of a point around the smooth curve that it belongs to.

    From second differences, in which a straight fall cancels: for independent noise of variance
    s^2 theirs is 6 s^2. Robust: their median absolute value, so that spikes do not count. 0 for
    fewer than three values.
    """
    bends = np.diff(np.asarray(values, dtype=float), n=2)
    return float(ROBUST * np.median(np.abs(bends)) / np.sqrt(6)) if len(bends) else 0.0


def resolution(values: ArrayLike) -> float:
    """The last decimal place that finite values were printed with, 0.1 to 1e-5; 0 if there is none.

    Rounding alone adds noise of this over the square root of 12 (a uniform distribution).
    """
    values = np.asarray(values, dtype=float)
    for digits in range(1, 6):
        if np.allclose(values, np.round(values, digits), rtol=1e-7, atol=0):
            return 10.0**-digits
    return 0.0


def noise_of(values: np.ndarray) -> float:
    """The noise of the values, and no less than what rounding them to their digits adds.

    A curve that only falls, or only rises, bends without any noise.
    """
    changes = np.diff(values)
    is_smooth = (changes < 0).all() or (changes > 0).all()
    rounding = resolution(values) / math.sqrt(12)
    return rounding if is_smooth else max(noise_level(values), rounding)

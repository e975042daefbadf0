"""Arrays over the days of one asset: shifted, divided, and summed over windows."""

from collections.abc import Callable

import numpy as np
import talib

from llmlab.market.features.feature import TRADING_DAYS, Array


def lagged(values: Array, days: int) -> Array:
    """Shift values down by some rows, with NaN at the start."""
    moved = np.full_like(values, np.nan)
    moved[days:] = values[:-days]
    return moved


def ratio(part: Array, whole: Array) -> Array:
    """`part / whole`, or 0 where `whole` is 0, as for a bar without a range."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0)


def from_first(function: Callable[..., Array], *values: Array) -> Array:
    """Apply a TA-Lib function from the first row with all values."""
    first = int(np.argmax(np.isfinite(np.sum(values, axis=0))))
    found = np.full_like(values[0], np.nan)
    found[first:] = function(*(one[first:] for one in values))
    return found


def deviation(values: Array, window: int) -> Array:
    """Standard deviation over a window, from the first row with a value."""
    return from_first(lambda one: talib.STDDEV(one, window), values)


def annualised(variance: Array, window: int) -> Array:
    """Annualised volatility from the mean of daily variances."""
    mean = from_first(lambda one: talib.SMA(one, window), variance)
    return np.sqrt(TRADING_DAYS * np.maximum(mean, 0))

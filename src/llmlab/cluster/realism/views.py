"""What a judge sees of a series, cut into windows.

Nothing identifies the run: times are relative to their median, losses to their own line.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from llmlab.cluster.realism.contenders import Series

RECORDS = 32
"""Records per window of numbers."""
EVENTS = 8
"""Events per window."""
EVENT_SHARE = 0.1
"""Records in this share of the run's slowest are events."""
LINES = 8
"""Lines per window of text."""
LAGS = (1, 2, 4, 8)
TINY = 1e-9

View = Callable[[Series], Sequence]
"""All windows of a series, as rows of features or as texts."""


def numbers(series: Series) -> np.ndarray:
    """Statistics (windows, features) of step times and of losses."""
    seconds, losses = _cut(series.seconds, RECORDS), _cut(series.losses, RECORDS)
    return np.hstack([statistics(relative(seconds)), statistics(residual(losses))])


def gaps(series: Series) -> np.ndarray:
    """Records between events, and the slowness of each event (windows, features)."""
    slowness = relative(series.seconds[None])[0]
    events = np.flatnonzero(slowness >= np.quantile(slowness, 1 - EVENT_SHARE))
    between = _cut(np.log(np.diff(events, prepend=-1)), EVENTS)
    heights = _cut(slowness[events], EVENTS)
    return np.hstack([between, np.sort(between), np.sort(heights), statistics(heights, LAGS[:2])])


def text(series: Series) -> list[str]:
    """Log lines without what identifies a run: level, model, step and date."""
    times = np.exp(relative(_cut(series.seconds, LINES)))
    losses = residual(_cut(series.losses, LINES))
    return ["".join(map(_line, *window)) for window in zip(times, losses, strict=True)]


def _line(time: float, loss: float) -> str:
    return f"{time:.4f} {loss:+.4f}\n" if np.isfinite(loss) else f"{time:.4f}\n"


VIEWS: dict[str, View] = {"numbers": numbers, "gaps": gaps, "text": text}


def statistics(windows: np.ndarray, lags: Sequence[int] = LAGS) -> np.ndarray:
    """Spread, tails, memory and ties of each window: from (windows, n) to (windows, features)."""
    low, q1, middle, q3, high = np.quantile(windows, [0, 0.25, 0.5, 0.75, 1], axis=1)
    spread, quartiles = windows.std(axis=1) + TINY, q3 - q1 + TINY
    steps, far = np.diff(windows), np.abs(windows - middle[:, None])
    half = windows.shape[1] // 2
    early, late = windows[:, :half], windows[:, half:]
    features = [
        np.log(spread),
        np.log(quartiles),
        (high - middle) / quartiles,
        (low - middle) / quartiles,
        *(_memory(windows, lag) for lag in lags),
        _memory(far, 1),
        steps.std(axis=1) / spread,
        (far[:, :half].mean(axis=1) + TINY) / (far[:, half:].mean(axis=1) + TINY),
        (early.mean(axis=1) - late.mean(axis=1)) / spread,
        (np.abs(np.diff(np.sort(windows))) < TINY).mean(axis=1),
        (np.abs(steps) < TINY).mean(axis=1),
        (np.sign(steps[:, 1:]) != np.sign(steps[:, :-1])).mean(axis=1),
    ]
    return np.column_stack(features)


def _memory(windows: np.ndarray, lag: int) -> np.ndarray:
    """Autocorrelation of each window (windows,)."""
    centred = windows - windows.mean(axis=1, keepdims=True)
    return (centred[:, lag:] * centred[:, :-lag]).sum(axis=1) / ((centred**2).sum(axis=1) + TINY**2)


def relative(seconds: np.ndarray) -> np.ndarray:
    """Logarithm of each time over the median of its window (windows, n)."""
    return np.log(seconds / np.median(seconds, axis=1, keepdims=True))


def residual(losses: np.ndarray) -> np.ndarray:
    """Each loss relative to the straight line through its window, minus one (windows, n)."""
    places = np.arange(losses.shape[1]) - (losses.shape[1] - 1) / 2
    level = losses.mean(axis=1, keepdims=True)
    slope = (losses @ places / (places @ places))[:, None]
    return losses / (level + slope * places) - 1


def _cut(values: np.ndarray, size: int) -> np.ndarray:
    """Consecutive windows (windows, size); drops the remainder."""
    if len(values) < size:
        return np.empty((0, size))
    return sliding_window_view(values, size)[::size]

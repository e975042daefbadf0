"""Resample daily bars to weeks or to groups of n bars."""

from dataclasses import replace

import numpy as np

from llmlab.market.bars.bars import Bars
from llmlab.method.errors import LabError
from llmlab.method.wording import counted

HOW = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
FRIDAY = 4
WEEK = "week"
MOST_DIGITS = 9
"""Digits of a number of bars; no market has more, and Python reads long numbers slowly."""


def resampled(bars: Bars, every: str) -> Bars:
    """Bars of each week, or of each n bars from the first, dated by their last day.

    Omits an incomplete last group, since it would change with the next day.

    Args:
        every: "week", or a number of bars from 2 up.

    Raises:
        LabError: `every` is neither, or no group is complete.
    """
    groups, is_complete = _weeks(bars) if every == WEEK else _blocks(bars, every)
    frame = bars.frame.groupby(groups, sort=False).agg({c: HOW[c] for c in bars.frame})
    last_rows = np.flatnonzero(np.diff(groups, append=groups[-1] + 1))
    frame.index = bars.frame.index[last_rows]
    frame = frame if is_complete else frame.iloc[:-1]
    if frame.empty:
        raise _too_few(bars, every)
    note = "weekly" if every == WEEK else f"each of {every} bars"
    return replace(bars, frame=frame, notes=(*bars.notes, note))


def _weeks(bars: Bars) -> tuple[np.ndarray, bool]:
    """The week of each bar, starting on Monday, and whether the last week reaches Friday."""
    days = bars.frame.index.to_numpy("datetime64[D]").astype(int)
    return (days + 3) // 7, bars.frame.index[-1].weekday() >= FRIDAY


def is_longer(length: str, n_bars: int) -> bool:
    """Whether a number of bars as text, of any number of digits, is more than there are."""
    return length.isdecimal() and (len(length) > MOST_DIGITS or int(length) > n_bars)


def _blocks(bars: Bars, every: str) -> tuple[np.ndarray, bool]:
    if is_longer(every, len(bars)):
        raise _too_few(bars, every)
    if not every.isdecimal() or int(every) < 2:
        raise LabError(f"--every cannot be {every}; write day, week, or a number from 2 up.")
    return np.arange(len(bars)) // int(every), len(bars) % int(every) == 0


def _too_few(bars: Bars, every: str) -> LabError:
    return LabError(
        f"{bars.name} has only {counted(len(bars), 'bar')}, too few for one group of --every "
        f"{every}; give more bars."
    )

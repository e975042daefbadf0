"""The target: whether the close rises by more than a threshold over a horizon."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from llmlab.market.bars.bars import Bars
from llmlab.method.errors import LabError
from llmlab.method.wording import counted

Array = NDArray[np.float64]

THRESHOLDS = (1, 2, 3, 5)
"""Thresholds in percent; 0 predicts the direction alone."""
HORIZONS = ("1", "2", "3", "5", "week")
"""Horizons in bars, or a calendar week."""
WEEK = "week"
WEEK_DAYS, WEEK_BARS = 7, 5
"""Calendar days in a week, and the most bars in it."""


@dataclass(frozen=True)
class Target:
    """A rise of more than `threshold` percent by the end of the horizon.

    Attributes:
        horizon: bars as text, or "week": the last bar within seven calendar days.
    """

    horizon: str = "1"
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if self.horizon != WEEK and not (self.horizon.isdecimal() and int(self.horizon) > 0):
            raise LabError(
                f"--horizon cannot be {self.horizon}; write a number of bars from 1 up, or week."
            )
        if not 0 <= self.threshold < 100:
            raise LabError(
                f"--threshold cannot be {self.threshold}; write a percentage from 0 to below 100."
            )

    @property
    def reach(self) -> int:
        """The most bars that it looks ahead."""
        return WEEK_BARS if self.horizon == WEEK else int(self.horizon)


def in_words(target: Target) -> str:
    """A target as messages name it: "a rise of more than 2 % over 1 day"."""
    horizon = "a week" if target.horizon == WEEK else counted(target.reach, "day")
    return f"a rise of more than {target.threshold:g} % over {horizon}"


def labels(bars: Bars, target: Target) -> Array:
    """Labels [rows]: 1 if the close rises enough, 0 if not, NaN if the horizon has not ended."""
    close = bars.frame["close"].to_numpy(float)
    end = _ends(bars, target)
    is_known = end < len(close)
    rise = close[np.minimum(end, len(close) - 1)] / close - 1
    found = np.where(rise > target.threshold / 100, 1.0, 0.0)
    return np.where(is_known, found, np.nan)


def balance(bars: Bars) -> pd.DataFrame:
    """Share of ones by horizon (rows) and threshold in percent (columns), including direction.

    NaN where no bar is followed by so many others.
    """
    return pd.DataFrame(
        {
            threshold: [
                pd.Series(labels(bars, Target(horizon, threshold))).mean() for horizon in HORIZONS
            ]
            for threshold in (0, *THRESHOLDS)
        },
        index=pd.Index(HORIZONS, name="horizon"),
    )


def _ends(bars: Bars, target: Target) -> NDArray[np.int64]:
    """The row at which the horizon of each row ends, or the number of rows if it has not ended."""
    n = len(bars)
    if target.horizon != WEEK:
        return np.arange(n) + int(target.horizon)
    days = bars.frame.index.to_numpy("datetime64[D]")
    until = days + np.timedelta64(WEEK_DAYS, "D")
    end = np.searchsorted(days, until, side="right") - 1
    is_over = (until <= days[-1]) & (end > np.arange(n))
    return np.where(is_over, end, n)

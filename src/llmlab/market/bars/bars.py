"""Daily bars of one asset, and their checks."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from llmlab.method.errors import LabError

COLUMNS = ("open", "high", "low", "close", "volume")
LONG_GAP_DAYS = 5
"""Longest distance of two bars without missing days, in calendar days; a long weekend has four."""


@dataclass(frozen=True)
class Bars:
    """Bars of one asset, one row per trading day.

    Attributes:
        frame: indexed by date, rising; open, high, low, close and volume, or close alone.
        source: name of its source.
        is_index: whether it is an untraded level, so that volume may be zero or missing.
        notes: processing steps, such as adjusting for splits.
    """

    name: str
    frame: pd.DataFrame
    source: str
    is_index: bool = False
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def has_ranges(self) -> bool:
        """Whether the bars are complete, not closes alone."""
        return set(COLUMNS) <= set(self.frame.columns)

    @property
    def sha256(self) -> str:
        """SHA-256 of the bars as CSV, with the fewest digits that restore each number."""
        text = self.frame.to_csv(date_format="%Y-%m-%d", lineterminator="\n")
        return hashlib.sha256(text.encode()).hexdigest()


def checked(bars: Bars) -> Bars:
    """Check the bars and return them.

    Raises:
        LabError: dates are not rising or occur twice; a price is missing, zero or negative; or a
            bar's high is below its low. Names the first such date.
    """
    index = bars.frame.index
    for problem, days in (
        ("has two rows for", index[index.duplicated()]),
        ("is not in order of its dates at", index[1:][np.diff(index.asi8) < 0]),
    ):
        if len(days):
            raise LabError(
                f"{bars.name} {problem} {days[0].date()}; sort the rows by date, one per day."
            )
    for what, days in bad_days(bars).items():
        if len(days):
            raise LabError(
                f"{bars.name} has {what} on {named(days)}; correct or remove these rows."
            )
    return bars


def bad_days(bars: Bars) -> dict[str, list[str]]:
    """Dates of invalid bars, by the kind of error."""
    frame = bars.frame
    prices = frame[[column for column in COLUMNS[:4] if column in frame]]
    wrong = {"a missing, zero or negative price": ~(prices > 0).all(axis=1)}
    if bars.has_ranges:
        wrong["a high below its low"] = frame["high"] < frame["low"]
    return {what: [str(day.date()) for day in frame.index[rows]] for what, rows in wrong.items()}


def gaps(bars: Bars) -> list[str]:
    """Periods of more than `LONG_GAP_DAYS` calendar days without a bar."""
    index = bars.frame.index
    days = np.diff(index.to_numpy("datetime64[D]")).astype(int)
    return [
        f"{index[n].date()} to {index[n + 1].date()}" for n in np.flatnonzero(days > LONG_GAP_DAYS)
    ]


def named(days: list[str], most: int = 3) -> str:
    """The first few days, and the number of further ones."""
    more = f" and {len(days) - most} more" if len(days) > most else ""
    return ", ".join(days[:most]) + more

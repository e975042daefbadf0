"""Daily bars of one asset, and what has to hold for them."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from llmlab.method.errors import LabError

COLUMNS = ("open", "high", "low", "close", "volume")
LONG_GAP_DAYS = 5
"""Calendar days between two bars beyond which days are missing: a long weekend has four."""


@dataclass(frozen=True)
class Bars:
    """One asset, a row for each trading day.

    Attributes:
        frame: indexed by date, rising; open, high, low, close and volume, or close alone.
        source: name of the source that it came from.
        is_index: a level that nobody trades, so its volume may be zero or missing.
        notes: what was done to it, such as adjusting for splits.
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
        """Whether there are whole bars, not closes alone."""
        return set(COLUMNS) <= set(self.frame.columns)

    @property
    def sha256(self) -> str:
        """Of the bars as CSV: dates, and each number with the fewest digits that give it back."""
        text = self.frame.to_csv(date_format="%Y-%m-%d", lineterminator="\n")
        return hashlib.sha256(text.encode()).hexdigest()


def checked(bars: Bars) -> Bars:
    """The same bars, if every row can be used.

    Raises:
        LabError: dates are not rising or stand twice, or a price is missing, zero or negative, or
            a bar's high is below its low; names the first such date.
    """
    index = bars.frame.index
    for problem, days in (
        ("has two rows for", index[index.duplicated()]),
        ("is not in order of its dates at", index[1:][np.diff(index.asi8) < 0]),
    ):
        if len(days):
            raise LabError(
                f"{bars.name} {problem} {days[0].date()}: sort the rows by date, one for each day."
            )
    for what, days in bad_days(bars).items():
        if len(days):
            raise LabError(
                f"{bars.name} has {what} on {named(days)}: correct or remove these rows."
            )
    return bars


def bad_days(bars: Bars) -> dict[str, list[str]]:
    """Dates of the bars that cannot be, by what is wrong with them."""
    frame = bars.frame
    prices = frame[[column for column in COLUMNS[:4] if column in frame]]
    wrong = {"a missing, zero or negative price": ~(prices > 0).all(axis=1)}
    if bars.has_ranges:
        wrong["a high below its low"] = frame["high"] < frame["low"]
    return {what: [str(day.date()) for day in frame.index[rows]] for what, rows in wrong.items()}


def gaps(bars: Bars) -> list[str]:
    """Stretches of more than `LONG_GAP_DAYS` calendar days without a bar."""
    index = bars.frame.index
    days = np.diff(index.to_numpy("datetime64[D]")).astype(int)
    return [
        f"{index[n].date()} to {index[n + 1].date()}" for n in np.flatnonzero(days > LONG_GAP_DAYS)
    ]


def named(days: list[str], most: int = 3) -> str:
    """The first few days, and how many more there are."""
    more = f" and {len(days) - most} more" if len(days) > most else ""
    return ", ".join(days[:most]) + more

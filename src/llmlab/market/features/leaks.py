"""The leak alarm: a feature's value on a day must not change when later days become known.

A feature sees the future if and only if some row of its column differs from the last row of the
same column computed on the bars up to that day. The alarm therefore computes each prefix of the
bars and compares its last row.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from llmlab.market.bars.bars import Bars
from llmlab.method.errors import LabError

Compute = Callable[[Bars], pd.DataFrame]
TOLERANCE = 1e-9
"""Largest relative difference explained by rounding."""
SAMPLE = 360
"""Number of final bars to check, more than the longest window."""
PREFIXES = 90
"""Most prefixes that end in the last quarter of a sample."""


@dataclass(frozen=True)
class Leak:
    """A column that sees the future.

    Attributes:
        day: the first day on which it changed.
        then, later: its value on that day as known then, and as known later.
    """

    column: str
    day: pd.Timestamp
    then: float
    later: float


def leaks(compute: Compute, bars: Bars, prefixes: Iterable[int] | None = None) -> list[Leak]:
    """The columns that see the future, each with the first day that shows it.

    Args:
        compute: returns one row per bar and one column per feature.
        prefixes: numbers of bars to compute with; by default all from 2 up.
    """
    whole = compute(bars)
    found: dict[str, Leak] = {}
    for n in prefixes or range(2, len(bars)):
        part = compute(first(bars, n))
        if len(part) == 0:
            continue
        then, later = part.iloc[-1], whole.loc[part.index[-1]]
        for column in whole.columns[~_same(then.to_numpy(float), later.to_numpy(float))]:
            leak = Leak(column, part.index[-1], float(then[column]), float(later[column]))
            found.setdefault(column, leak)
    return list(found.values())


def require_no_leak(compute: Compute, bars: Bars, sample: int = SAMPLE) -> None:
    """Raise LabError if a column changes on the last quarter of the last `sample` bars.

    Args:
        sample: more bars than the longest window, or a column is empty and hides its leak.
    """
    last = replace(bars, frame=bars.frame.iloc[-sample:])
    ends = np.linspace(3 * len(last) // 4, len(last) - 1, PREFIXES)
    found = leaks(compute, last, np.unique(ends.astype(int)).tolist())
    if found:
        leak = found[0]
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise LabError(
            f"the feature {leak.column}{more} sees the future: on {leak.day.date()} it was "
            f"{leak.then:.6g}, but is {leak.later:.6g} once later bars are known; leave it out."
        )


def first(bars: Bars, n: int) -> Bars:
    """The first n bars."""
    return replace(bars, frame=bars.frame.iloc[:n])


def _same(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.isclose(one, other, rtol=TOLERANCE, atol=1e-12, equal_nan=True)

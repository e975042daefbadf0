"""Stock splits: days on which a price falls by a simple ratio and nobody loses anything.

Where there is an adjusted close its jumps tell; without one, an opening near a simple ratio of the
close before is a suspicion, since a crash may look the same.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from llmlab.market.bars.bars import Bars
from llmlab.method.errors import LabError

RATIOS = (1.5, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20)
"""New shares for an old one; a reverse split has one over it."""
NEAR = 0.035
"""Largest distance of the opening from a simple ratio, as a logarithm."""
ADJUSTED = 0.15
"""Smallest jump of adjusted over plain close that is a split and no dividend, as a logarithm."""


@dataclass(frozen=True)
class Split:
    """`ratio` new shares for an old one, from this row on."""

    row: int
    date: str
    ratio: float


def find_splits(frame: pd.DataFrame) -> list[Split]:
    """Splits that the prices have not been adjusted for."""
    if "adj_close" in frame:
        factor = np.log((frame["adj_close"] / frame["close"]).to_numpy())
        jumps = np.diff(factor)
        rows = np.flatnonzero(np.abs(jumps) > ADJUSTED) + 1
        found = [(row, _nearest(float(jumps[row - 1]))[0]) for row in rows]
    else:
        fall = np.log(frame["close"].to_numpy()[:-1] / frame["open"].to_numpy()[1:])
        near = [_nearest(float(one)) for one in fall]
        found = [(row + 1, ratio) for row, (ratio, off) in enumerate(near) if off < NEAR]
    return [Split(int(row), str(frame.index[row].date()), ratio) for row, ratio in found]


def _nearest(log_ratio: float) -> tuple[float, float]:
    """The simple ratio nearest to this one, and how far off it is."""
    candidates = [ratio**sign for ratio in RATIOS for sign in (1, -1)]
    best = min(candidates, key=lambda ratio: abs(np.log(ratio) - log_ratio))
    return best, float(abs(np.log(best) - log_ratio))


def adjusted(bars: Bars) -> Bars:
    """Bars whose prices before each split are divided by its ratio, and volumes multiplied."""
    frame = bars.frame.copy()
    found = find_splits(frame)
    prices = [column for column in ("open", "high", "low", "close") if column in frame]
    frame = frame.astype({column: float for column in [*prices, "volume"] if column in frame})
    for split in found:
        before = frame.index[: split.row]
        frame.loc[before, prices] /= split.ratio
        if "volume" in frame:
            frame.loc[before, "volume"] *= split.ratio
    notes = tuple(f"adjusted for a split of {split.ratio:g} on {split.date}" for split in found)
    return replace(bars, frame=frame.drop(columns="adj_close", errors="ignore"), notes=notes)


def refuse_splits(bars: Bars) -> Bars:
    """The same bars, if no split stands in them; LabError names the first one."""
    for split in find_splits(bars.frame):
        raise LabError(
            f"{bars.name} looks split on {split.date}, {split.ratio:g} for 1, and the prices "
            "before are not adjusted: give --jumps adjust to adjust them, or --jumps keep if the "
            "fall is real."
        )
    return replace(bars, frame=bars.frame.drop(columns="adj_close", errors="ignore"))

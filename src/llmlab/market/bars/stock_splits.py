"""Stock splits: days on which the price falls by a simple ratio without any loss in value.

Jumps of an adjusted close identify splits. Without one, an opening near a simple ratio of the
previous close is only a suspicion, since a crash may look the same.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from llmlab.market.bars.bars import Bars
from llmlab.method.errors import LabError

RATIOS = (1.5, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20)
"""New shares per old one; the reciprocals are reverse splits."""
NEAR = 0.035
"""Largest distance of the opening from a simple ratio, in log units."""
ADJUSTED = 0.15
"""Smallest jump of adjusted over plain close that is a split, not a dividend, in log units."""


@dataclass(frozen=True)
class Split:
    """A split into `ratio` new shares per old one, effective from this row."""

    row: int
    date: str
    ratio: float


def find_splits(frame: pd.DataFrame) -> list[Split]:
    """Find splits for which the prices are not adjusted."""
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
    """The nearest simple ratio, and its distance in log units."""
    candidates = [ratio**sign for ratio in RATIOS for sign in (1, -1)]
    best = min(candidates, key=lambda ratio: abs(np.log(ratio) - log_ratio))
    return best, float(abs(np.log(best) - log_ratio))


def adjusted(bars: Bars) -> Bars:
    """Adjust for splits: divide earlier prices by each ratio, and multiply earlier volumes."""
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
    """Return the bars, or raise LabError for the first split in them."""
    for split in find_splits(bars.frame):
        raise LabError(
            f"{bars.name} seems to have split {split.ratio:g} for 1 on {split.date}, but earlier "
            "prices are not adjusted; use --jumps adjust to adjust them, or --jumps keep if the "
            "fall is real."
        )
    return replace(bars, frame=bars.frame.drop(columns="adj_close", errors="ignore"))

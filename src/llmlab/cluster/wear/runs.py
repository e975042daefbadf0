"""Months of training with interruptions, drawn at random.

Interruptions are a renewal process: the gaps between them are drawn, and in each gap training loads
the last checkpoint, then works and saves in turns until it is stopped; work after the last save is
lost. So a run needs one vector of gaps, and no loop over steps.
"""

import math
from dataclasses import dataclass

import numpy as np

from llmlab.cluster.wear.checkpoints import Wear


@dataclass(frozen=True)
class WornRun:
    """Where the time of one run went, as shares of all of it.

    Attributes:
        interruptions: how many there were.
    """

    interruptions: int
    useful: float
    saving: float
    restarting: float
    lost: float


def draw_gaps(
    wear: Wear, seconds: float, rng: np.random.Generator, burstiness: float = 1.0
) -> np.ndarray:
    """Seconds between interruptions within a run of `seconds`; the last gap ends with the run.

    Args:
        burstiness: shape of their Weibull distribution, whatever it is with the mean of `wear`: 1
            for interruptions that know nothing of each other, less where they come in bursts
            (Schroeder and Gibson 2010, "A large-scale study of failures", section 5: 0.7 to 0.8).
    """
    scale = wear.between / math.gamma(1 + 1 / burstiness)
    gaps = np.empty(0)
    while gaps.sum() < seconds:
        more = scale * rng.weibull(burstiness, size=int(2 * seconds / wear.between) + 16)
        gaps = np.concatenate([gaps, more])
    ends = np.cumsum(gaps)
    last = int(np.searchsorted(ends, seconds))
    before = ends[last - 1] if last else 0.0
    return np.append(gaps[:last], seconds - before)


def run_through(gaps: np.ndarray, wear: Wear, interval: float) -> WornRun:
    """What a run with these gaps makes of its time if it saves every `interval` seconds of work."""
    seconds = gaps.sum()
    restarts = np.minimum(gaps, wear.restart)
    restarts[0] = 0.0  # the first start is not an interruption
    working = gaps - restarts
    cycles = np.floor(working / (interval + wear.save))
    rest = working - cycles * (interval + wear.save)
    useful = cycles.sum() * interval
    useful += min(rest[-1], interval)  # the end of the run loses nothing
    saving = cycles.sum() * wear.save
    return WornRun(
        interruptions=len(gaps) - 1,
        useful=useful / seconds,
        saving=saving / seconds,
        restarting=restarts.sum() / seconds,
        lost=1 - (useful + saving + restarts.sum()) / seconds,
    )


def best_interval(gaps: np.ndarray, wear: Wear, intervals: np.ndarray) -> float:
    """The interval with which this run would have kept most work."""
    kept = [run_through(gaps, wear, interval).useful for interval in intervals]
    return float(intervals[int(np.argmax(kept))])

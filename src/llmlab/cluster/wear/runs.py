"""Months of training with random interruptions.

Interruptions are a renewal process with random gaps. In each gap, training loads the last
checkpoint, then alternates work and saving until it is interrupted; work after the last save is
lost. A run therefore needs only one vector of gaps, and no loop over steps.
"""

import math
from dataclasses import dataclass

import numpy as np

from llmlab.cluster.wear.checkpoints import Wear


@dataclass(frozen=True)
class WornRun:
    """How the time of one run was spent, as shares of the total.

    Attributes:
        interruptions: number of interruptions.
    """

    interruptions: int
    useful: float
    saving: float
    restarting: float
    lost: float


def draw_gaps(
    wear: Wear, seconds: float, rng: np.random.Generator, burstiness: float = 1.0
) -> np.ndarray:
    """Draw the seconds between interruptions in a run of `seconds`; the last gap ends with the run.

    Args:
        burstiness: shape of their Weibull distribution, at the mean of `wear`: 1 for independent
            interruptions, less for bursts (Schroeder and Gibson 2010, "A large-scale study of
            failures", section 5: 0.7 to 0.8).
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
    """Account for the time of a run with these gaps that saves every `interval` seconds of work."""
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
    """The interval with which this run would have kept the most work."""
    kept = [run_through(gaps, wear, interval).useful for interval in intervals]
    return float(intervals[int(np.argmax(kept))])

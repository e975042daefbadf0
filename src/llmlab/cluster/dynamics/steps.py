"""How step times of a real run scatter: slow first steps, noise with a memory, stalls.

Everything is relative to the run's own median step, so that the physics gives the level and this
the life.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from llmlab.cluster.dynamics.pieces import FEWEST, fit_pieces

START = 3
"""Records at the start of a run, which hold compilation and cold caches."""
FAR = 6.0
"""Interquartile ranges above the upper quartile from which on a record counts as a stall."""


class Series(Protocol):
    """What new series can be drawn from."""

    def draw(self, length: int, rng: np.random.Generator) -> np.ndarray:
        """A new series (length,)."""


Fit = Callable[[np.ndarray], Series]
"""From a real series (n,) to what draws others like it."""


@dataclass(frozen=True)
class StepDynamics:
    """Step times relative to their median, as logarithms.

    Attributes:
        start: of the first records.
        noise: of ordinary ones.
        stalls: of those behind a validation or checkpoint, and of extreme ones.
        places: of the stalls among the records of the run, from 0 to `length` - 1.
        length: records of the run.
    """

    run: str
    start: np.ndarray
    noise: Series
    stalls: np.ndarray
    places: np.ndarray
    length: int

    def draw(self, length: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Relative step times (length,) of a new run, and whether each record is a stall.

        Stalls keep the real run's schedule, from a random place of it on.
        """
        values = self.noise.draw(length, rng)
        schedule = np.full(self.length, np.nan)
        schedule[self.places] = self.stalls
        due = np.resize(np.roll(schedule, int(rng.integers(self.length))), length)
        stalled = np.isfinite(due)
        values[stalled] = due[stalled]
        values[: len(self.start)] = self.start[:length]
        return np.exp(values), stalled


def fit_steps(
    run: str, seconds: np.ndarray, after_pause: np.ndarray, fit: Fit = fit_pieces
) -> StepDynamics:
    """The dynamics of one run: seconds (n,) of its records, whether a pause precedes each (n,).

    Raises:
        ValueError: fewer records than a fit needs.
    """
    known = np.isfinite(seconds) & (seconds > 0)
    values = np.log(seconds[known] / np.median(seconds[known]))
    later = values[START:]
    low, high = np.quantile(later, [0.25, 0.75]) if len(later) else (0.0, 0.0)
    stalled = after_pause[known][START:].astype(bool) | (later > high + FAR * (high - low))
    ordinary = later[~stalled]
    if len(ordinary) < FEWEST:
        raise ValueError(f"{run} has {len(ordinary)} ordinary steps, a fit needs {FEWEST}")
    return StepDynamics(
        run=run,
        start=values[:START],
        noise=fit(ordinary),
        stalls=later[stalled],
        places=np.flatnonzero(stalled),
        length=len(later),
    )

"""The scatter of a real run's step times: slow first steps, noise with memory, stalls.

Everything is relative to the run's own median step: the physics gives the level, this module the
scatter.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from llmlab.cluster.dynamics.pieces import FEWEST, fit_pieces

START = 3
"""Number of records at the start of a run affected by compilation and cold caches."""
FAR = 6.0
"""A record counts as a stall if it is this many interquartile ranges above the upper quartile."""


class Series(Protocol):
    """A model from which new series can be drawn."""

    def draw(self, length: int, rng: np.random.Generator) -> np.ndarray:
        """Draw a new series (length,)."""


Fit = Callable[[np.ndarray], Series]
"""Fits a real series (n,); the result draws others like it."""


@dataclass(frozen=True)
class StepDynamics:
    """Step times relative to their median, as logarithms.

    Attributes:
        start: values of the first records.
        noise: model of ordinary records.
        stalls: values of records after a validation or checkpoint, and of extreme ones.
        places: indices of the stalls in the run, from 0 to `length` - 1.
        length: number of records in the run.
    """

    run: str
    start: np.ndarray
    noise: Series
    stalls: np.ndarray
    places: np.ndarray
    length: int

    def draw(self, length: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw relative step times (length,) of a new run, and whether each record is a stall.

        Stalls follow the real run's schedule, starting at a random position.
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
    """Fit one run, from the seconds (n,) of its records and whether a pause precedes each (n,).

    Raises:
        ValueError: there are fewer records than a fit needs.
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

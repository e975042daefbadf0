"""How step times of a real run scatter: slow first steps, noise with a memory, pauses.

Everything is relative to the run's own median step, so that the physics gives the level and this
the life.
"""

from dataclasses import dataclass

import numpy as np

from llmlab.cluster.dynamics.noise import FEWEST, Noise, fit_noise

START = 3
"""Records at the start of a run, which hold compilation and cold caches."""


@dataclass(frozen=True)
class StepDynamics:
    """Step times relative to their median, as logarithms.

    Attributes:
        start: of the first records.
        noise: of ordinary ones.
        after_pause: of records behind a validation or checkpoint, any of which may be drawn.
        pause_every: records between two pauses; 0 if the run had fewer than two.
    """

    run: str
    start: np.ndarray
    noise: Noise
    after_pause: np.ndarray
    pause_every: int

    def draw(self, length: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Relative step times (length,) of a new run, and whether a pause precedes each."""
        values = self.noise.draw(length, rng)
        values[: len(self.start)] = self.start[:length]
        pauses = np.zeros(length, dtype=bool)
        if self.pause_every:
            first = START + int(rng.integers(self.pause_every)) + 1
            pauses[first :: self.pause_every] = True
            values[pauses] = rng.choice(self.after_pause, size=int(pauses.sum()))
        return np.exp(values), pauses


def fit_steps(run: str, seconds: np.ndarray, after_pause: np.ndarray) -> StepDynamics:
    """The dynamics of one run: seconds (n,) of its records, whether a pause precedes each (n,).

    Raises:
        ValueError: fewer records than a fit needs.
    """
    known = np.isfinite(seconds) & (seconds > 0)
    values = np.log(seconds[known] / np.median(seconds[known]))
    paused = after_pause[known].astype(bool)
    ordinary = values[START:][~paused[START:]]
    if len(ordinary) < FEWEST:
        raise ValueError(f"{run} has {len(ordinary)} ordinary steps, a fit needs {FEWEST}")
    behind = np.flatnonzero(paused)
    several = len(behind) > 1
    return StepDynamics(
        run=run,
        start=values[:START],
        noise=fit_noise(ordinary),
        after_pause=values[behind] if several else np.zeros(1),
        pause_every=int(np.median(np.diff(behind))) if several else 0,
    )

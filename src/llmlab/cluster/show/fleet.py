"""The waiting time for the slowest of many ranks, without drawing each rank at each step.

A rank's time is its own speed plus noise. The distribution function of the maximum over all ranks
is the product of theirs; it is tabulated once, and each step then costs one draw.
"""

from bisect import bisect_right
from itertools import accumulate

import numpy as np
from scipy.special import log_ndtr

RANK_SPREAD = 0.004
"""Standard deviation of a rank's own speed and of its steps, as a share: an assumption."""
KNOTS = 512
CHUNK = 1024
"""Number of ranks whose distributions are multiplied at once."""


class Fleet:
    """Ranks with speeds of their own.

    Attributes:
        speeds: seconds of each rank relative to the prediction (gpus,).
    """

    def __init__(self, gpus: int, rng: np.random.Generator) -> None:
        self.speeds = 1 + RANK_SPREAD * np.abs(rng.standard_normal(gpus))
        self._mean = float(self.speeds.mean())
        self._waits = np.linspace(1 - 4 * RANK_SPREAD, self.speeds.max() + 6 * RANK_SPREAD, KNOTS)
        log_share = np.zeros(KNOTS)
        for ranks in np.split(self.speeds, range(CHUNK, gpus, CHUNK)):
            log_share += log_ndtr((self._waits[:, None] - ranks) / RANK_SPREAD).sum(axis=1)
        self._share = np.exp(log_share)
        median = float(np.interp(0.5, self._share, self._waits))
        far = (median - self.speeds) / RANK_SPREAD
        self._chances = list(accumulate(np.exp(-(far**2) / 2 - log_ndtr(far)).tolist()))

    def waits(self, steps: int, rng: np.random.Generator) -> np.ndarray:
        """Draw the time of the slowest rank relative to the mean rank's, for each step (steps,)."""
        return np.interp(rng.random(steps), self._share, self._waits) / self._mean

    def slowest(self, draw: float) -> int:
        """The rank that a step waits for, by a uniform draw from [0, 1)."""
        return bisect_right(self._chances, draw * self._chances[-1])

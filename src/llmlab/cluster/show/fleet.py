"""The slowest of many ranks at a step, without drawing each rank.

A rank's time is its own speed plus noise. Its chance to be the slowest is in proportion to the
density of its time at the median of the slowest rank's, given that it takes no longer than this.
"""

from bisect import bisect_right
from itertools import accumulate

import numpy as np
from scipy.special import log_ndtr

RANK_SPREAD = 0.004
"""Standard deviation of a rank's own speed and of its steps, as a share: an assumption."""
KNOTS = 512
"""Points at which the distribution of the slowest rank is evaluated."""
CHUNK = 1024
"""Number of ranks whose distributions are multiplied at once."""


class Fleet:
    """Ranks with speeds of their own.

    Attributes:
        speeds: seconds of each rank relative to the prediction (gpus,).
    """

    def __init__(self, gpus: int, rng: np.random.Generator) -> None:
        self.speeds = 1 + RANK_SPREAD * np.abs(rng.standard_normal(gpus))
        waits = np.linspace(1 - 4 * RANK_SPREAD, self.speeds.max() + 6 * RANK_SPREAD, KNOTS)
        log_share = np.zeros(KNOTS)
        for ranks in np.split(self.speeds, range(CHUNK, gpus, CHUNK)):
            log_share += log_ndtr((waits[:, None] - ranks) / RANK_SPREAD).sum(axis=1)
        median = float(np.interp(0.5, np.exp(log_share), waits))
        far = (median - self.speeds) / RANK_SPREAD
        self._chances = list(accumulate(np.exp(-(far**2) / 2 - log_ndtr(far)).tolist()))

    def slowest(self, draw: float) -> int:
        """The rank that a step waits for, by a uniform draw from [0, 1)."""
        return bisect_right(self._chances, draw * self._chances[-1])

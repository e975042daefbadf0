"""Draw a series from pieces of a real one, each near its own position.

The local block bootstrap (Paparoditis and Politis 2002, "Local block bootstrap", Comptes Rendus
Mathématique 335) with blocks of random length (Politis and Romano 1994, "The stationary
bootstrap") and a little noise on each value (Silverman and Young 1987, "The bootstrap: to smooth or
not to smooth?"). Blocks preserve the memory of a series, their positions preserve its slow drift,
and the noise prevents repeated values.
"""

from dataclasses import dataclass

import numpy as np

LENGTH = 16
"""Mean length of a piece."""
REACH = 64
"""Largest distance of a piece from its own position, in values."""
SMOOTHING = 0.1
"""Standard deviation of the noise on each value, relative to the interquartile range."""
FEWEST = 32
"""Fewest values for a fit."""


@dataclass(frozen=True)
class Pieces:
    """A real series to draw from.

    Attributes:
        values: values of the series (n,).
        smoothing: standard deviation of the noise on each value.
    """

    values: np.ndarray
    smoothing: float

    def draw(self, length: int, rng: np.random.Generator) -> np.ndarray:
        """Draw a new series (length,)."""
        places = local_blocks(len(self.values), length, rng)
        return self.values[places] + self.smoothing * rng.standard_normal(length)


def fit_pieces(values: np.ndarray) -> Pieces:
    """Fit pieces to `values` (n,), at least `FEWEST` of them."""
    low, high = np.quantile(values, [0.25, 0.75])
    return Pieces(values, SMOOTHING * float(high - low))


def local_blocks(size: int, length: int, rng: np.random.Generator) -> np.ndarray:
    """Draw indices (length,) into a series of `size` values: blocks, each near its own position."""
    lengths = np.minimum(rng.geometric(1 / LENGTH, size=length), size)
    lengths = lengths[: int(np.searchsorted(np.cumsum(lengths), length)) + 1]
    starts = np.cumsum(lengths) - lengths
    last = size - lengths
    places = starts * size // length
    lowest = np.clip(places - REACH, 0, last)
    highest = np.clip(places + REACH, lowest, last)
    firsts = rng.integers(lowest, highest + 1)
    offsets = np.repeat(firsts - starts, lengths) + np.arange(lengths.sum())
    return offsets[:length]

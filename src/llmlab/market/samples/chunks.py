"""Days for training, validation and test, far enough apart that none knows of another.

Days are cut into chunks; one is for test, the one half-way round for validation, the rest for
training. A sample looks back over its window and ahead over its horizon, so days nearer to a chunk
than both together are dropped on either side of it (purge and embargo; Lopez de Prado 2018,
"Advances in Financial Machine Learning", chapter 7).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmlab.method.errors import LabError

Rows = NDArray[np.int64]

CHUNKS = 10
FEWEST_DAYS = 30
"""Days that training, and each chunk, must have."""


@dataclass(frozen=True)
class Split:
    """Positions of days, rising, for each purpose; they have none in common."""

    train: Rows
    validation: Rows
    test: Rows


def split(n_days: int, test_chunk: int, reach: int, n_chunks: int = CHUNKS) -> Split:
    """The split whose test days are one chunk; those of other chunks are disjoint.

    Args:
        reach: days that a sample looks back over and ahead, together.

    Raises:
        LabError: there is no such chunk, or too few days are left.
    """
    if not 0 <= test_chunk < n_chunks:
        raise LabError(
            f"there is no chunk {test_chunk} to test on: the days are cut into {n_chunks}, "
            f"numbered 0 to {n_chunks - 1}."
        )
    chunks = np.array_split(np.arange(n_days), n_chunks)
    test = chunks[test_chunk]
    validation = chunks[(test_chunk + n_chunks // 2) % n_chunks]
    if min(len(test), len(validation)) < FEWEST_DAYS:
        raise _too_few(n_days, reach, n_chunks)
    train = apart(apart(np.arange(n_days), test, reach), validation, reach)
    validation = apart(validation, test, reach)
    if min(len(train), len(validation)) < FEWEST_DAYS:
        raise _too_few(n_days, reach, n_chunks)
    return Split(train, validation, test)


def apart(days: Rows, chunk: Rows, reach: int) -> Rows:
    """The days more than `reach` away from a chunk, before it or after."""
    return days[(days < chunk[0] - reach) | (days > chunk[-1] + reach)]


def _too_few(n_days: int, reach: int, n_chunks: int) -> LabError:
    return LabError(
        f"{n_days} days are too few for {n_chunks} chunks with {reach} days dropped on both sides "
        "of two of them: give more bars, or a shorter look-back, horizon or tier."
    )

"""Split days into training, validation and test, far enough apart to prevent leaks.

Days are cut into chunks: one for test, the one half-way round for validation, the rest for
training. A sample looks back over its window and ahead over its horizon, so days closer to a chunk
than the sum of both are dropped on either side (purge and embargo; Lopez de Prado 2018, "Advances
in Financial Machine Learning", chapter 7).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmlab.method.errors import LabError

Rows = NDArray[np.int64]

CHUNKS = 10
"""Chunks of days by default; each can serve as test days."""
FEWEST_DAYS = 30
"""Fewest days in training and in each chunk."""


@dataclass(frozen=True)
class Split:
    """Disjoint sets of positions of days, in rising order, for each purpose."""

    train: Rows
    validation: Rows
    test: Rows


def split(n_days: int, test_chunk: int, reach: int, n_chunks: int = CHUNKS) -> Split:
    """The split with one chunk as test days; test days of different chunks are disjoint.

    Args:
        reach: days that a sample looks back and ahead, in total.

    Raises:
        LabError: there is no such chunk, or too few days remain.
    """
    if not 0 <= test_chunk < n_chunks:
        raise LabError(
            f"there is no chunk {test_chunk} to test on; choose one of the {n_chunks} chunks, "
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
        "of two of them; give more bars, or a shorter look-back or horizon, or a smaller tier."
    )

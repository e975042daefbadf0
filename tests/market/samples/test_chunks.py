import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skfolio.model_selection import CombinatorialPurgedCV

from llmlab.market.samples.chunks import apart, split
from llmlab.method.errors import LabError

days, reaches = st.integers(700, 3000), st.integers(0, 40)
chunk_counts = st.integers(4, 12)


@settings(max_examples=30)
@given(days, reaches, chunk_counts, st.integers(0, 3))
def test_no_two_parts_come_nearer_than_a_sample_reaches(
    n: int, reach: int, n_chunks: int, chunk: int
) -> None:
    found = split(n, chunk, reach, n_chunks)
    for one, other in (
        (found.train, found.validation),
        (found.train, found.test),
        (found.validation, found.test),
    ):
        assert np.abs(one[:, None] - other[None]).min() > reach


@settings(max_examples=30)
@given(days, reaches, chunk_counts)
def test_chunks_of_test_days_are_disjoint_and_cover_all_days(
    n: int, reach: int, n_chunks: int
) -> None:
    tests = [split(n, chunk, reach, n_chunks).test for chunk in range(n_chunks)]
    np.testing.assert_array_equal(np.concatenate(tests), np.arange(n))


@settings(max_examples=30)
@given(st.integers(110, 300), reaches, chunk_counts, st.integers(0, 3))
def test_training_days_are_those_of_skfolio(
    chunk_days: int, reach: int, n_chunks: int, chunk: int
) -> None:
    n = n_chunks * chunk_days  # skfolio puts what is left over into the last chunk, we spread it
    peer = CombinatorialPurgedCV(n_chunks, n_test_folds=2, purged_size=reach, embargo_size=0)
    found = split(n, chunk, reach, n_chunks)
    one, other = sorted((chunk, (chunk + n_chunks // 2) % n_chunks))
    trains = {
        tuple(fold): train
        for fold, (train, _) in zip(
            [(i, j) for i in range(n_chunks) for j in range(i + 1, n_chunks)],
            peer.split(np.zeros((n, 1))),
            strict=True,
        )
    }
    np.testing.assert_array_equal(found.train, trains[one, other])


def test_both_sides_of_a_chunk_are_dropped() -> None:
    kept = apart(np.arange(20), np.arange(8, 11), 2)
    assert kept.tolist() == [0, 1, 2, 3, 4, 5, 13, 14, 15, 16, 17, 18, 19]


def test_too_few_days_are_refused() -> None:
    with pytest.raises(LabError, match="200 days are too few for 10 chunks"):
        split(200, 0, 10)


def test_a_chunk_that_is_not_there_is_refused() -> None:
    with pytest.raises(LabError, match="no chunk 10"):
        split(5000, 10, 10)

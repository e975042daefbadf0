"""Series drawn from pieces of a real one."""

import numpy as np
import pytest

from llmlab.cluster.dynamics.pieces import REACH, fit_pieces, local_blocks
from llmlab.cluster.dynamics.steps import START, fit_steps


@pytest.mark.parametrize(("size", "length"), [(40, 1), (40, 1000), (1000, 37), (500, 500)])
def test_a_draw_of_any_length_stays_inside_the_series(size: int, length: int) -> None:
    places = local_blocks(size, length, np.random.default_rng(0))
    assert places.shape == (length,)
    assert places.min() >= 0
    assert places.max() < size


def test_each_piece_lies_near_its_own_place() -> None:
    places = local_blocks(2000, 2000, np.random.default_rng(1))
    far = np.abs(places - np.arange(2000))
    assert np.quantile(far, 0.99) <= 2 * REACH
    assert far.max() > 0


def test_a_draw_keeps_a_drift_and_the_spread() -> None:
    rng = np.random.default_rng(2)
    values = np.linspace(0, 10, 1000) + 0.1 * rng.standard_normal(1000)
    drawn = fit_pieces(values).draw(1000, rng)
    assert drawn[:200].mean() == pytest.approx(values[:200].mean(), abs=0.7)
    assert drawn.std() == pytest.approx(values.std(), rel=0.1)


def test_stalls_keep_their_schedule_and_their_height() -> None:
    rng = np.random.default_rng(3)
    seconds = 1 + 0.001 * rng.standard_normal(300)
    seconds[START + 10 :: 50] = 3.0
    drawn, stalled = fit_steps("run", seconds, np.zeros(300)).draw(300, rng)
    assert np.diff(np.flatnonzero(stalled)).max() == 50
    assert drawn[START:][stalled[START:]] == pytest.approx(3.0, rel=0.01)

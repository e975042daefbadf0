import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmlab.market.bars.bars import Bars
from llmlab.market.bars.stock_splits import RATIOS, adjusted, find_splits


def walk(ratio: float, row: int, seed: int = 0) -> pd.DataFrame:
    """Forty days of small moves, with a split of `ratio` for 1 before `row`."""
    moves = np.random.default_rng(seed).normal(0, 0.005, 40)
    close = 100 * np.exp(np.cumsum(moves))
    close[row:] /= ratio
    previous = np.concatenate([[100.0], close[:-1]])
    previous[row] /= ratio
    frame = pd.DataFrame({"open": previous, "close": close, "volume": 1e6})
    frame["high"], frame["low"] = frame[["open", "close"]].max(axis=1), frame.min(axis=1)
    return frame.set_index(pd.bdate_range("2001-01-01", periods=40))


@settings(max_examples=40)  # each makes a table
@given(st.sampled_from(RATIOS), st.integers(1, 39), st.integers(0, 99))
def test_a_split_is_found_where_it_is(ratio: float, row: int, seed: int) -> None:
    assert [(one.row, one.ratio) for one in find_splits(walk(ratio, row, seed))] == [(row, ratio)]


def test_quiet_days_hold_no_split() -> None:
    assert find_splits(walk(1.0, 5)) == []


def test_an_adjusted_close_tells_a_crash_from_a_split() -> None:
    crash = walk(2.0, 20)
    crash["adj_close"] = crash["close"] * 0.9
    assert find_splits(crash) == []


def test_adjusted_prices_have_no_jump() -> None:
    closes = adjusted(Bars("x", walk(3.0, 20), "made")).frame["close"]
    assert np.abs(np.diff(np.log(closes))).max() == pytest.approx(0, abs=0.05)

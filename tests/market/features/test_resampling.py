import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmlab.market.bars.bars import Bars, checked
from llmlab.market.features.leaks import first
from llmlab.market.features.resampling import resampled
from llmlab.method.errors import LabError


def test_weeks_are_those_of_pandas(bars: Bars) -> None:
    weekly = resampled(bars, "week")
    peer = bars.frame["close"].resample("W-FRI").last()
    np.testing.assert_array_equal(weekly.frame["close"], peer)
    assert (weekly.frame.index.day_of_week == 4).all()


def test_a_bar_of_several_days_holds_what_they_held(bars: Bars) -> None:
    one, days = resampled(bars, "3").frame.iloc[0], bars.frame.iloc[:3]
    assert one["open"] == days["open"].iloc[0]
    assert one["close"] == days["close"].iloc[-1]
    assert (one["high"], one["low"]) == (days["high"].max(), days["low"].min())
    assert one["volume"] == days["volume"].sum()


@settings(max_examples=20)
@given(st.integers(15, 399), st.sampled_from(["week", "2", "5"]))
def test_bars_do_not_change_with_later_days(bars: Bars, n: int, every: str) -> None:
    known = checked(resampled(first(bars, n), every)).frame
    pd.testing.assert_frame_equal(known, resampled(bars, every).frame.iloc[: len(known)])


@pytest.mark.parametrize("every", ["1", "month", "-2", "2.5"])
def test_another_length_is_refused(bars: Bars, every: str) -> None:
    with pytest.raises(LabError, match="write day, week, or a number"):
        resampled(bars, every)


@pytest.mark.parametrize("every", ["5", "9" * 20, "9" * 5000])
def test_too_few_bars_are_refused(bars: Bars, every: str) -> None:
    with pytest.raises(LabError, match="too few"):
        resampled(first(bars, 3), every)

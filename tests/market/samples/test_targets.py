import numpy as np
import pandas as pd
import pytest

from llmlab.market.bars.bars import Bars
from llmlab.market.features.leaks import first
from llmlab.market.samples.targets import HORIZONS, THRESHOLDS, Target, balance, in_words, labels
from llmlab.method.errors import LabError


def closes(*values: float) -> Bars:
    index = pd.bdate_range("2001-01-01", periods=len(values))
    return Bars("closes", pd.DataFrame({"close": values}, index=index, dtype=float), "")


def test_a_rise_must_exceed_the_threshold_at_the_end_of_the_horizon() -> None:
    found = labels(closes(100, 105, 100.9, 102, 100), Target("2", 1))
    np.testing.assert_array_equal(found, [0, 0, 0, np.nan, np.nan])
    found = labels(closes(100, 101, 101.1, 102, 100), Target("2", 1))
    np.testing.assert_array_equal(found, [1, 0, 0, np.nan, np.nan])


def test_a_week_ends_on_the_last_bar_within_seven_days() -> None:
    monday_to_wednesday = closes(100, 1, 1, 1, 1, 102, 1, 1)  # Monday is compared with Monday
    found = labels(monday_to_wednesday, Target("week", 1))
    np.testing.assert_array_equal(found[:2], [1, 0])
    assert np.isnan(found[3:]).all()


@pytest.mark.parametrize("horizon", HORIZONS)
def test_no_label_is_made_of_days_beyond_the_reach(bars: Bars, horizon: str) -> None:
    target = Target(horizon, 1)
    whole, n = labels(bars, target), 300
    part = labels(first(bars, n), target)
    known = np.isfinite(part)
    np.testing.assert_array_equal(part[known], whole[:n][known])
    assert known[: n - target.reach - 3].all()  # a week of holidays has fewer bars


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Target("1", 2), "a rise of more than 2 % over 1 day"),
        (Target("5", 0), "a rise of more than 0 % over 5 days"),
        (Target("week", 1.5), "a rise of more than 1.5 % over a week"),
    ],
)
def test_a_target_in_words(target: Target, words: str) -> None:
    assert in_words(target) == words


@pytest.mark.filterwarnings("error")
def test_a_horizon_longer_than_the_bars_has_no_balance() -> None:
    table = balance(closes(100, 101.5, 103))
    assert table.loc["1"].tolist() == [1, 1, 0, 0, 0]
    assert table.loc["5"].isna().all()


def test_the_balance_falls_with_the_threshold(bars: Bars) -> None:
    table = balance(bars)
    assert table.shape == (len(HORIZONS), 1 + len(THRESHOLDS))
    assert (np.diff(table.to_numpy(), axis=1) <= 0).all()


@pytest.mark.parametrize("horizon", ["0", "-1", "month", "1.5"])
def test_another_horizon_is_refused(horizon: str) -> None:
    with pytest.raises(LabError, match="--horizon"):
        Target(horizon)


def test_a_negative_threshold_is_refused() -> None:
    with pytest.raises(LabError, match="--threshold"):
        Target("1", -1)

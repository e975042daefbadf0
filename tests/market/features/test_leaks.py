import pandas as pd
import pandas_ta_classic as peer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmlab.market.bars.bars import Bars
from llmlab.market.features.leaks import first, leaks, require_no_leak
from llmlab.market.features.table import compute
from llmlab.market.features.tiers import tier
from llmlab.method.errors import LabError


def test_no_feature_sees_the_future(bars: Bars) -> None:
    assert leaks(lambda some: compute(tier("c"), some), bars, range(262, 400, 3)) == []


def test_no_feature_sees_the_future_while_windows_fill(bars: Bars) -> None:
    assert leaks(lambda some: compute(tier("b"), some), first(bars, 60)) == []


def with_dpo(bars: Bars) -> pd.DataFrame:
    table = compute(tier("a"), bars)
    dpo = peer.dpo(bars.frame["close"])
    return table.assign(dpo=float("nan") if dpo is None else dpo)


def test_dpo_of_pandas_ta_classic_is_caught(bars: Bars) -> None:
    assert [leak.column for leak in leaks(with_dpo, first(bars, 100), range(60, 100, 7))] == ["dpo"]


def test_the_alarm_names_the_column_and_the_day(bars: Bars) -> None:
    with pytest.raises(LabError, match=r"the feature dpo sees the future: on \d{4}-\d\d-\d\d"):
        require_no_leak(with_dpo, bars, sample=100)


def with_future(bars: Bars, days: int) -> pd.DataFrame:
    return pd.DataFrame({"close": bars.frame["close"].shift(-days)})


@settings(max_examples=20)
@given(st.integers(1, 20))
def test_any_look_ahead_is_caught(days: int) -> None:
    close = pd.Series(range(1, 31), pd.bdate_range("2001-01-01", periods=30), dtype=float)
    rising = Bars("rising", close.to_frame("close"), "")
    assert [one.column for one in leaks(lambda some: with_future(some, days), rising)] == ["close"]


def test_a_mean_over_all_days_is_caught(bars: Bars) -> None:
    def centred(some: Bars) -> pd.DataFrame:
        return some.frame[["close"]] - some.frame[["close"]].mean()

    assert [leak.column for leak in leaks(centred, first(bars, 30))] == ["close"]

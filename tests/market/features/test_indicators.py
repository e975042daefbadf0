"""Indicators beside pandas-ta-classic or their definition, computed otherwise."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pandas_ta_classic as peer
import pytest

from llmlab.market.bars.bars import Bars
from llmlab.market.features.table import compute
from llmlab.market.features.tiers import tier

Frame = pd.DataFrame
FEATURES = {feature.name: feature for feature in tier("c")}


def ours(bars: Bars, name: str) -> pd.Series:
    return compute([FEATURES[name]], bars)[name]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("rsi_14", lambda f: peer.rsi(f.close)),
        ("adx_14", lambda f: peer.adx(f.high, f.low, f.close)["ADX_14"]),
        ("natr_14", lambda f: peer.natr(f.high, f.low, f.close)),
        ("cci_20", lambda f: peer.cci(f.high, f.low, f.close, 20)),
        ("macd", lambda f: peer.macd(f.close)["MACD_12_26_9"] / f.close),
        ("money_flow_14", lambda f: peer.mfi(f.high, f.low, f.close, f.volume)),
        ("aroon_25", lambda f: peer.aroon(f.high, f.low, 25)["AROONOSC_25"]),
        ("chaikin_flow_20", lambda f: peer.cmf(f.high, f.low, f.close, f.volume, length=20)),
        ("stochastic_k_14", lambda f: peer.stoch(f.high, f.low, f.close).iloc[:, 0]),
        ("willr_14", lambda f: peer.willr(f.high, f.low, f.close)),
    ],
)
def test_agrees_with_pandas_ta_classic(
    bars: Bars, name: str, other: Callable[[Frame], pd.Series]
) -> None:
    both = pd.concat([ours(bars, name), other(bars.frame)], axis=1).dropna().iloc[200:]
    np.testing.assert_allclose(both.iloc[:, 0], both.iloc[:, 1], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "definition"),
    [
        ("return_5", lambda f: np.log(f.close / f.close.shift(5))),
        ("drawdown_60", lambda f: f.close / f.close.rolling(60).max() - 1),
        ("volatility_20", lambda f: np.log(f.close).diff().rolling(20).std(ddof=0) * 252**0.5),
        (
            "bollinger_width_20",
            lambda f: 4 * f.close.rolling(20).std(ddof=0) / f.close.rolling(20).mean(),
        ),
        ("autocorrelation_20", lambda f: autocorrelation(np.log(f.close).diff())),
        ("rsi_14_lag_3", lambda f: peer.rsi(f.close).shift(3)),
        ("monday", lambda f: pd.Series(f.index.day_of_week == 0, f.index).astype(float)),
        ("month_part", lambda f: pd.Series((f.index.day - 1) / 30, f.index)),
        ("january", lambda f: pd.Series(f.index.month == 1, f.index).astype(float)),
    ],
)
def test_follows_its_definition(
    bars: Bars, name: str, definition: Callable[[Frame], pd.Series]
) -> None:
    both = pd.concat([ours(bars, name), definition(bars.frame)], axis=1).dropna()
    assert len(both) > 300
    np.testing.assert_allclose(both.iloc[:, 0], both.iloc[:, 1], rtol=1e-6, atol=1e-6)


def autocorrelation(returns: pd.Series) -> pd.Series:
    return returns.rolling(20).corr(returns.shift(1))


def test_range_volatilities_agree_on_a_walk_without_drift(bars: Bars) -> None:
    names = ("parkinson_20", "garman_klass_20", "rogers_satchell_20")
    means = [ours(bars, name).mean() for name in names]
    assert max(means) < 1.5 * min(means)

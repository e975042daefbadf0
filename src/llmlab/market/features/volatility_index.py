"""Eight features of a volatility index such as the VIX, or of a proxy if there is none.

The index is the annual volatility, in percent, that options imply for the month ahead. The proxy is
Garman and Klass's (1980) estimate from the ranges of the last month. It looks back while the index
looks ahead, so its features have different names.
"""

import numpy as np
import pandas as pd
import talib

from llmlab.market.bars.bars import Bars
from llmlab.market.features.feature import TRADING_DAYS, Array, Feature, Prices
from llmlab.market.features.series import deviation, lagged
from llmlab.market.features.volatility import range_volatility
from llmlab.method.errors import LabError

MONTH = 21
LONGEST_WAIT = 5
"""Most bars over which a missing value of the index is filled forward."""


def index_features(prefix: str) -> tuple[Feature, ...]:
    """The eight features, computed from the closes of the index."""
    source = "definition"

    def of(name: str, formula: str, window: int, unit: str, compute: object) -> Feature:
        return Feature(f"{prefix}_{name}", formula, window, unit, source, "close", compute)

    return (
        of("level", "ln I, the index in percent a year", 1, "nats", lambda p: p.log_close),
        of("change_1", "ln(I / I_1)", 2, "nats", lambda p: p.log_return),
        of("change_5", "ln(I / I_5)", 6, "nats", lambda p: p.log_close - lagged(p.log_close, 5)),
        of("gap_20", "I / SMA_20(I) - 1", 20, "1", lambda p: p.close / talib.SMA(p.close, 20) - 1),
        of("score_60", "(I - SMA_60(I)) / SD_60(I)", 60, "1", _score),
        of("place_252", "(I - min I) / (max I - min I) over 252", 252, "1", _place),
        of("spread_20", "(max I - min I) / I over 20", 20, "1", _spread),
        of(
            "unrest_20", "SD over 20 of ln(I / I_1)", 21, "1", lambda p: deviation(p.log_return, 20)
        ),
    )


def with_index(bars: Bars, index: Bars | None) -> pd.DataFrame:
    """The eight features of the index, or of a proxy, on the days of `bars`; NaN if missing.

    Raises:
        LabError: there is neither an index nor ranges for a proxy.
    """
    if index is None:
        return _features_of("volatility_proxy", proxy(bars)).reindex(bars.frame.index)
    closes = index.frame["close"].reindex(bars.frame.index).ffill(limit=LONGEST_WAIT)
    known = Bars(index.name, closes.dropna().to_frame("close"), index.source)
    return _features_of("volatility_index", known).reindex(bars.frame.index)


def proxy(bars: Bars) -> Bars:
    """Garman and Klass's volatility of the last month as an index, in percent per year."""
    if not bars.has_ranges:
        raise LabError(
            f"{bars.name} has only closes, which allow no proxy for a volatility index; name an "
            "index with --volatility-index."
        )
    volatility = range_volatility("garman_klass", MONTH).compute(Prices.of(bars))
    frame = pd.DataFrame({"close": 100 * volatility}, index=bars.frame.index)
    return Bars(f"{bars.name} Garman-Klass", frame[frame["close"] > 0], bars.source)


def _features_of(prefix: str, index: Bars) -> pd.DataFrame:
    features, days = index_features(prefix), index.frame.index
    if len(index) == 0:
        return pd.DataFrame(columns=[one.name for one in features], index=days, dtype=float)
    prices = Prices.of(index)
    return pd.DataFrame({one.name: one.compute(prices) for one in features}, index=days)


def _score(prices: Prices) -> Array:
    spread = talib.STDDEV(prices.close, 60)
    gap = prices.close - talib.SMA(prices.close, 60)
    return np.divide(gap, spread, out=np.full_like(gap, np.nan), where=spread > 0)


def _place(prices: Prices) -> Array:
    low, high = talib.MIN(prices.close, TRADING_DAYS), talib.MAX(prices.close, TRADING_DAYS)
    gap = prices.close - low
    return np.divide(gap, high - low, out=np.full_like(gap, np.nan), where=high > low)


def _spread(prices: Prices) -> Array:
    return (talib.MAX(prices.close, 20) - talib.MIN(prices.close, 20)) / prices.close

"""Time features: each tier over 8,000 bars, and tier a beside TA-Lib alone and pandas-ta-classic.

TA-Lib alone makes only the calls that tier a needs, on arrays: no returns, ratios, checks or table.
The other peer computes the same twenty indicators one call after another, as its users do; with
`talib=True` it delegates some of them to TA-Lib.
"""

import time
from collections.abc import Callable

import pandas as pd
import pandas_ta_classic as peer
import talib
from report import save

from llmlab.market.bars.synthetic import known_market
from llmlab.market.features.feature import Prices
from llmlab.market.features.table import compute
from llmlab.market.features.tiers import TIERS, tier

ROWS, REPEATS = 8_000, 200


def by_talib(prices: Prices) -> None:
    """The calls of TA-Lib that tier a needs, each once."""
    high, low, close, volume = prices.high, prices.low, prices.close, prices.volume
    for days in (10, 50):
        talib.SMA(close, days)
    for days in (12, 26):
        talib.EMA(close, days)
    talib.MACD(close)
    talib.RSI(close, 14)
    talib.STOCH(high, low, close, 14, 3, 0, 3, 0)
    talib.AROONOSC(high, low, 25)
    talib.ADX(high, low, close, 14)
    talib.NATR(high, low, close, 14)
    talib.BBANDS(close, 20)
    talib.OBV(close, volume)
    talib.SUM(volume, 20)
    talib.MFI(high, low, close, volume, 14)


def by_peer(frame: pd.DataFrame, delegates: bool) -> None:
    """The indicators of tier a."""
    high, low, close, volume = (frame[name] for name in ("high", "low", "close", "volume"))
    for days in (1, 5, 20):
        peer.log_return(close, length=days)
    for days in (10, 50):
        peer.sma(close, length=days, talib=delegates)
    for days in (12, 26):
        peer.ema(close, length=days, talib=delegates)
    peer.macd(close, talib=delegates)
    peer.rsi(close, talib=delegates)
    peer.stoch(high, low, close)
    peer.aroon(high, low, 25, talib=delegates)
    peer.adx(high, low, close)
    peer.natr(high, low, close, talib=delegates)
    peer.bbands(close, length=20, talib=delegates)
    peer.obv(close, volume, talib=delegates)
    peer.mfi(high, low, close, volume, talib=delegates)


def milliseconds(call: Callable[[], object], repeats: int = REPEATS) -> dict[str, float]:
    """The fastest of several calls, on the clock and of the core."""
    call()
    clock, core = [], []
    for _ in range(repeats):
        began, used = time.perf_counter(), time.process_time()
        call()
        clock.append(time.perf_counter() - began)
        core.append(time.process_time() - used)
    return {"ms": round(1e3 * min(clock), 2), "core_ms": round(1e3 * min(core), 2)}


if __name__ == "__main__":
    bars = known_market(ROWS, 0.0, 0).bars
    rows = {}
    for name in TIERS:
        features = tier(name)
        timed = milliseconds(lambda features=features: compute(features, bars))
        rows[f"tier {name}"] = {"features": len(features), **timed}
    prices = Prices.of(bars)
    rows["TA-Lib alone, calls of tier a"] = milliseconds(lambda: by_talib(prices))
    for delegates in (False, True):
        timed = milliseconds(lambda delegates=delegates: by_peer(bars.frame, delegates), 5)
        rows[f"pandas-ta-classic, talib={delegates}"] = {"features": len(tier("a")), **timed}
    save("market_features", rows)

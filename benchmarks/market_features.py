"""Time features: each tier over 8,000 bars, and tier a compared with pandas-ta-classic.

The peer computes the same twenty indicators one call after another, as its users do; with
`talib=True` it delegates some of them to TA-Lib.
"""

import time
from collections.abc import Callable

import pandas as pd
import pandas_ta_classic as peer
from report import save

from llmlab.market.bars.synthetic import known_market
from llmlab.market.features.table import compute
from llmlab.market.features.tiers import TIERS, tier

ROWS, REPEATS = 8_000, 30


def by_peer(frame: pd.DataFrame, talib: bool) -> None:
    """The indicators of tier a."""
    high, low, close, volume = (frame[name] for name in ("high", "low", "close", "volume"))
    for days in (1, 5, 20):
        peer.log_return(close, length=days)
    for days in (10, 50):
        peer.sma(close, length=days, talib=talib)
    for days in (12, 26):
        peer.ema(close, length=days, talib=talib)
    peer.macd(close, talib=talib)
    peer.rsi(close, talib=talib)
    peer.stoch(high, low, close)
    peer.aroon(high, low, 25, talib=talib)
    peer.adx(high, low, close)
    peer.natr(high, low, close, talib=talib)
    peer.bbands(close, length=20, talib=talib)
    peer.obv(close, volume, talib=talib)
    peer.mfi(high, low, close, volume, talib=talib)


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
    for talib in (False, True):
        timed = milliseconds(lambda talib=talib: by_peer(bars.frame, talib), 5)
        rows[f"pandas-ta-classic, talib={talib}"] = {"features": len(tier("a")), **timed}
    save("market_features", rows)

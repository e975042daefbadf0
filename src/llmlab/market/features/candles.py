"""The shape of a day's bar, and patterns of bars.

TA-Lib finds the patterns; each is 1 up, -1 down, 0 where it is not.
"""

from collections.abc import Callable

import numpy as np
import talib

from llmlab.market.features.feature import OWN, Array, Feature, Prices
from llmlab.market.features.series import lagged, ratio

SHAPES: dict[str, tuple[str, Callable[[Prices], Array]]] = {
    "body": ("(C - O) / (H - L)", lambda p: ratio(p.close - p.open, p.high - p.low)),
    "upper_shadow": (
        "(H - max(O, C)) / (H - L)",
        lambda p: ratio(p.high - np.maximum(p.open, p.close), p.high - p.low),
    ),
    "lower_shadow": (
        "(min(O, C) - L) / (H - L)",
        lambda p: ratio(np.minimum(p.open, p.close) - p.low, p.high - p.low),
    ),
    "close_location": ("(2C - H - L) / (H - L)", lambda p: close_location(p)),
    "range": ("ln(H / L)", lambda p: np.log(p.high / p.low)),
    "overnight": ("ln(O / C_1)", lambda p: np.log(p.open / lagged(p.close, 1))),
    "intraday": ("ln(C / O)", lambda p: np.log(p.close / p.open)),
}


def shape(name: str) -> Feature:
    """The shape of the day's own bar."""
    formula, compute = SHAPES[name]
    window = 2 if name == "overnight" else 1
    return Feature(name, formula, window, "1", OWN, "range", compute)


PATTERNS = {
    "doji": talib.CDLDOJI,
    "engulfing": talib.CDLENGULFING,
    "hammer": talib.CDLHAMMER,
    "harami": talib.CDLHARAMI,
    "marubozu": talib.CDLMARUBOZU,
    "morning_star": talib.CDLMORNINGSTAR,
    "evening_star": talib.CDLEVENINGSTAR,
    "shooting_star": talib.CDLSHOOTINGSTAR,
}


def pattern(name: str) -> Feature:
    """Whether the last candles form a named pattern: 1 up, -1 down, 0 no."""
    function = PATTERNS[name]
    return Feature(
        f"candle_{name}",
        f"1, -1 or 0: the last bars are a {name.replace('_', ' ')}",
        15,
        "1",
        "Nison 1991, as TA-Lib has it",
        "range",
        lambda p: function(p.open, p.high, p.low, p.close) / 100.0,
    )


def close_location(prices: Prices) -> Array:
    return ratio(2 * prices.close - prices.high - prices.low, prices.high - prices.low)

"""Families of indicators: each function returns the feature for one window.

All are independent of the price level, so that a model of one year applies to another: gaps are
relative to the close, volumes to their own mean. TA-Lib computes the sums over windows.
"""

from collections.abc import Callable

import numpy as np
import talib

from llmlab.market.features.candles import close_location
from llmlab.market.features.feature import OWN, Array, Feature, Need, Prices
from llmlab.market.features.series import from_first, lagged, ratio

TALIB = "TA-Lib"
WILDER = "Wilder 1978"


def log_return(window: int) -> Feature:
    return Feature(
        f"return_{window}",
        f"ln(C / C_{window})",
        window + 1,
        "nats",
        OWN,
        "close",
        lambda prices: talib.MOM(prices.log_close, window),
    )


AVERAGES: dict[str, tuple[str, Callable[..., Array], int]] = {
    "sma": ("simple", talib.SMA, 1),
    "ema": ("exponential", talib.EMA, 1),
    "wma": ("weighted", talib.WMA, 1),
    "dema": ("double exponential", talib.DEMA, 2),
    "tema": ("triple exponential", talib.TEMA, 3),
    "trima": ("triangular", talib.TRIMA, 1),
    "kama": ("Kaufman's adaptive", talib.KAMA, 1),
    "midpoint": ("middle of highest and lowest", talib.MIDPOINT, 1),
    "tsf": ("regression line's next value", talib.TSF, 1),
}
"""Averages by name: description, function, and number of chained averages."""


def gap(kind: str, window: int) -> Feature:
    """The distance of the close from an average of closes."""
    word, average, chained = AVERAGES[kind]
    return Feature(
        f"{kind}_gap_{window}",
        f"C / {kind.upper()}_{window}(C) - 1, {word}",
        chained * (window - 1) + 1 + (kind == "kama"),
        "1",
        TALIB,
        "close",
        lambda prices: prices.close / average(prices.close, window) - 1,
    )


def macd(part: int) -> Feature:
    name = ("macd", "macd_signal", "macd_histogram")[part]
    formula = (
        "(EMA_12(C) - EMA_26(C)) / C",
        "EMA_9 of MACD / C",
        "(MACD - its signal) / C",
    )[part]
    return Feature(
        name,
        formula,
        34,
        "1",
        "Appel 1979",
        "close",
        lambda prices: (
            prices.once("TA-Lib MACD", lambda: talib.MACD(prices.close))[part] / prices.close
        ),
    )


def rsi(window: int) -> Feature:
    formula = f"100 U / (U + D), U and D Wilder means of rises and falls over {window}"
    return _of_close(f"rsi_{window}", formula, window + 1, "points", WILDER, talib.RSI, window)


def oscillator(name: str, window: int) -> Feature:
    """Oscillators of the close from TA-Lib, which are already scale-free."""
    function, formula, looks_back = {
        "cmo": (talib.CMO, "100 (U - D) / (U + D), Chande's momentum oscillator", window + 1),
        "trix": (
            talib.TRIX,
            "change in percent of the EMA of the EMA of the EMA",
            3 * (window - 1) + 2,
        ),
    }[name]
    return _of_close(f"{name}_{window}", formula, looks_back, "points", TALIB, function, window)


def stochastic(part: int, fast: int = 14, slow: int = 3) -> Feature:
    """%K smoothed over `slow` days, or %D, its mean over `slow` days."""

    def both(prices: Prices) -> tuple[Array, Array]:
        return talib.STOCH(prices.high, prices.low, prices.close, fast, slow, 0, slow, 0)

    letter = "kd"[part]
    smooth = f"mean over {slow} of " * (part + 1)
    return Feature(
        f"stochastic_{letter}_{fast}",
        f"{smooth}100 (C - min L) / (max H - min L), window {fast}",
        fast + 2 * (slow - 1),
        "points",
        "Lane 1984",
        "range",
        lambda prices: prices.once(f"TA-Lib STOCH {fast} {slow}", lambda: both(prices))[part],
    )


RANGE_INDICATORS: dict[str, tuple[Callable[..., Array], str, str]] = {
    "cci": (talib.CCI, "(P - SMA(P)) / (0.015 mean |P - SMA(P)|), P = (H + L + C) / 3", "Lambert"),
    "adx": (talib.ADX, "Wilder mean of 100 |DI+ - DI-| / (DI+ + DI-)", WILDER),
    "plus_di": (talib.PLUS_DI, "100 x rises of H over true ranges, Wilder means", WILDER),
    "minus_di": (talib.MINUS_DI, "100 x falls of L over true ranges, Wilder means", WILDER),
    "natr": (talib.NATR, "100 x Wilder mean of the true range / C", WILDER),
    "willr": (talib.WILLR, "-100 (max H - C) / (max H - min L)", "Williams 1973"),
}


def of_range(name: str, window: int) -> Feature:
    """Indicators of high, low and close."""
    function, formula, source = RANGE_INDICATORS[name]
    return Feature(
        f"{name}_{window}",
        f"{formula}, window {window}",
        {"adx": 2 * window, "cci": window, "willr": window}.get(name, window + 1),
        "points",
        source,
        "range",
        lambda prices: function(prices.high, prices.low, prices.close, window),
    )


def aroon(window: int) -> Feature:
    return Feature(
        f"aroon_{window}",
        f"100 (days since min L - days since max H) / {window}",
        window + 1,
        "points",
        "Chande 1995",
        "range",
        lambda prices: talib.AROONOSC(prices.high, prices.low, window),
    )


def bollinger(kind: str, window: int) -> Feature:
    """The position of the close between the bands, or the width of the bands."""
    formula = {
        "position": "(C - lower) / (upper - lower), bands at SMA ± 2 SD",
        "width": "4 SD(C) / SMA(C)",
    }[kind]

    def compute(prices: Prices) -> Array:
        upper, middle, lower = prices.once(
            f"TA-Lib BBANDS {window}", lambda: talib.BBANDS(prices.close, window)
        )
        if kind == "width":
            return (upper - lower) / middle
        return ratio(prices.close - lower, upper - lower)

    name = f"bollinger_{kind}_{window}"
    return Feature(
        name, f"{formula}, window {window}", window, "1", "Bollinger 1992", "close", compute
    )


def channel(window: int) -> Feature:
    """The position of the close between lowest low and highest high (Donchian's channel)."""

    def compute(prices: Prices) -> Array:
        low, high = talib.MIN(prices.low, window), talib.MAX(prices.high, window)
        return ratio(prices.close - low, high - low)

    formula = f"(C - min L) / (max H - min L), window {window}"
    return Feature(f"channel_{window}", formula, window, "1", "Donchian", "range", compute)


def drawdown(window: int) -> Feature:
    return Feature(
        f"drawdown_{window}",
        f"C / max C - 1, window {window}",
        window,
        "1",
        OWN,
        "close",
        lambda prices: prices.close / talib.MAX(prices.close, window) - 1,
    )


def slope(window: int) -> Feature:
    return Feature(
        f"slope_{window}",
        f"slope of the regression of C on days over {window}, / C",
        window,
        "1/day",
        TALIB,
        "close",
        lambda prices: talib.LINEARREG_SLOPE(prices.close, window) / prices.close,
    )


def autocorrelation(window: int) -> Feature:
    def compute(prices: Prices) -> Array:
        returns = prices.log_return
        return from_first(lambda a, b: talib.CORREL(a, b, window), returns, lagged(returns, 1))

    formula = f"correlation of ln(C / C_1) with the day before over {window}"
    return Feature(f"autocorrelation_{window}", formula, window + 2, "1", OWN, "close", compute)


def volume_gap(window: int) -> Feature:
    return Feature(
        f"volume_gap_{window}",
        f"ln((V + 1) / (SMA_{window}(V) + 1))",
        window,
        "nats",
        OWN,
        "volume",
        lambda prices: np.log1p(prices.volume) - np.log1p(talib.SMA(prices.volume, window)),
    )


def signed_volume(window: int) -> Feature:
    """The change of on-balance volume over a window, relative to the volume of that window."""

    def compute(prices: Prices) -> Array:
        flow = talib.OBV(prices.close, prices.volume)
        return talib.MOM(flow, window) / talib.SUM(prices.volume, window)

    formula = f"(OBV - OBV_{window}) / sum of V over {window}"
    name = f"signed_volume_{window}"
    return Feature(name, formula, window + 1, "1", "Granville 1963", "volume", compute)


def money_flow(window: int) -> Feature:
    return Feature(
        f"money_flow_{window}",
        f"100 x flow on rising days / all flow over {window}; flow = V (H + L + C) / 3",
        window + 1,
        "points",
        "Quong and Soudack 1989",
        "volume",
        lambda prices: talib.MFI(prices.high, prices.low, prices.close, prices.volume, window),
    )


def chaikin_flow(window: int) -> Feature:
    def compute(prices: Prices) -> Array:
        share = close_location(prices)
        return talib.SUM(share * prices.volume, window) / talib.SUM(prices.volume, window)

    formula = f"sum of V (2C - H - L) / (H - L) over {window}, / sum of V"
    return Feature(f"chaikin_flow_{window}", formula, window, "1", "Chaikin", "volume", compute)


def volume_return_correlation(window: int) -> Feature:
    def compute(prices: Prices) -> Array:
        change = np.diff(np.log1p(prices.volume), prepend=np.nan)
        return from_first(lambda a, b: talib.CORREL(a, b, window), prices.log_return, change)

    formula = f"correlation of ln(C / C_1) with the change of ln(V + 1) over {window}"
    name = f"volume_correlation_{window}"
    return Feature(name, formula, window + 1, "1", OWN, "volume", compute)


def lag(feature: Feature, days: int) -> Feature:
    """The feature's value some bars earlier."""
    return Feature(
        f"{feature.name}_lag_{days}",
        f"{feature.name}, {days} bars ago",
        feature.window + days,
        feature.unit,
        feature.source,
        feature.need,
        lambda prices: lagged(prices.once(feature.name, lambda: feature.compute(prices)), days),
    )


OTHERS = (
    "ppo",
    "ultimate",
    "stochastic_rsi",
    "balance_of_power",
    "accumulation",
    "cycle_period",
    "sar_gap",
    "t3_gap",
    "vwap_gap",
)


def other(name: str) -> Feature:
    """Indicators with settings of their own."""
    formula, window, unit, need, compute = {
        "ppo": ("100 (EMA_12 - EMA_26) / EMA_26", 26, "points", "close", _ppo),
        "ultimate": (
            "mean of buying pressure over 7, 14 and 28, weights 4, 2, 1",
            29,
            "points",
            "range",
            lambda p: talib.ULTOSC(p.high, p.low, p.close),
        ),
        "stochastic_rsi": (
            "100 (RSI_14 - min) / (max - min) over 14",
            28,
            "points",
            "close",
            lambda p: talib.STOCHRSI(p.close, 14, 14, 1)[0],
        ),
        "balance_of_power": (
            "(C - O) / (H - L), mean over 14",
            14,
            "1",
            "range",
            lambda p: talib.SMA(talib.BOP(p.open, p.high, p.low, p.close), 14),
        ),
        "accumulation": (
            "EMA_3 - EMA_10 of accumulation, / SMA_10(V)",
            10,
            "1",
            "volume",
            lambda p: talib.ADOSC(p.high, p.low, p.close, p.volume) / talib.SMA(p.volume, 10),
        ),
        "cycle_period": (
            "days of the dominant cycle of C, by the Hilbert transform (Ehlers 2001)",
            33,
            "days",
            "close",
            lambda p: talib.HT_DCPERIOD(p.close),
        ),
        "sar_gap": (
            "C / parabolic stop and reverse - 1",
            2,
            "1",
            "range",
            lambda p: p.close / talib.SAR(p.high, p.low) - 1,
        ),
        "t3_gap": ("C / T3_5(C) - 1", 25, "1", "close", lambda p: p.close / talib.T3(p.close) - 1),
        "vwap_gap": (
            "C / (sum of V (H + L + C) / 3 over 20 / sum of V) - 1",
            20,
            "1",
            "volume",
            _vwap_gap,
        ),
    }[name]
    return Feature(name, formula, window, unit, TALIB, need, compute)


def _of_close(
    name: str,
    formula: str,
    window: int,
    unit: str,
    source: str,
    function: Callable[..., Array],
    setting: int,
    need: Need = "close",
) -> Feature:
    return Feature(
        name, formula, window, unit, source, need, lambda prices: function(prices.close, setting)
    )


def _ppo(prices: Prices) -> Array:
    return talib.PPO(prices.close, 12, 26, 1)


def _vwap_gap(prices: Prices) -> Array:
    typical = (prices.high + prices.low + prices.close) / 3
    paid = talib.SUM(typical * prices.volume, 20) / talib.SUM(prices.volume, 20)
    return prices.close / paid - 1

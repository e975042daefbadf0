"""Families of indicators: each function returns the feature for one window.

All are independent of the price level, so that a model of one year applies to another: gaps are
relative to the close, volumes to their own mean. TA-Lib computes the sums over windows.
"""

from collections.abc import Callable

import numpy as np
import talib

from llmlab.market.features.feature import TRADING_DAYS, Array, Feature, Need, Prices

TALIB = "TA-Lib"
WILDER = "Wilder 1978"
OWN = "definition"


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


def volatility(window: int) -> Feature:
    """Realised volatility of closes."""
    return Feature(
        f"volatility_{window}",
        f"SD of ln(C / C_1) over {window}, x sqrt({TRADING_DAYS})",
        window + 1,
        "1/sqrt(year)",
        OWN,
        "close",
        lambda prices: deviation(prices.log_return, window) * TRADING_DAYS**0.5,
    )


def range_volatility(kind: str, window: int) -> Feature:
    """Volatility from daily ranges, with the estimator `kind`."""
    daily, formula, source = {
        "parkinson": (parkinson, "ln(H/L)^2 / (4 ln 2)", "Parkinson 1980"),
        "garman_klass": (
            garman_klass,
            "ln(H/L)^2 / 2 - (2 ln 2 - 1) ln(C/O)^2",
            "Garman and Klass 1980",
        ),
        "rogers_satchell": (
            rogers_satchell,
            "ln(H/C) ln(H/O) + ln(L/C) ln(L/O)",
            "Rogers and Satchell 1991",
        ),
    }[kind]
    return Feature(
        f"{kind}_{window}",
        f"sqrt({TRADING_DAYS} x mean of {formula} over {window})",
        window,
        "1/sqrt(year)",
        source,
        "range",
        lambda prices: annualised(daily(prices), window),
    )


def downside(window: int) -> Feature:
    return Feature(
        f"downside_{window}",
        f"sqrt({TRADING_DAYS} x mean of min(ln(C / C_1), 0)^2 over {window})",
        window + 1,
        "1/sqrt(year)",
        OWN,
        "close",
        lambda prices: annualised(np.minimum(prices.log_return, 0) ** 2, window),
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


def calendar(name: str) -> Feature:
    """Features of the date alone, known in advance."""
    formula, compute = {
        "weekday_sine": ("sin(2 pi weekday / 5)", lambda p: np.sin(2 * np.pi * _weekday(p) / 5)),
        "weekday_cosine": ("cos(2 pi weekday / 5)", lambda p: np.cos(2 * np.pi * _weekday(p) / 5)),
        "month_sine": ("sin(2 pi month / 12)", lambda p: np.sin(2 * np.pi * _month(p) / 12)),
        "month_cosine": ("cos(2 pi month / 12)", lambda p: np.cos(2 * np.pi * _month(p) / 12)),
        "month_part": ("(day of the month - 1) / 30", lambda p: (_month_day(p) - 1) / 30),
        "month_turn": (
            "1 on the days 28 to 3, else 0",
            lambda p: ((_month_day(p) >= 28) | (_month_day(p) <= 3)).astype(float),
        ),
        "monday": ("1 on Mondays, else 0", lambda p: (_weekday(p) == 0).astype(float)),
        "friday": ("1 on Fridays, else 0", lambda p: (_weekday(p) == 4).astype(float)),
        "january": ("1 in January, else 0", lambda p: (_month(p) == 0).astype(float)),
        "days_since_bar": (
            "calendar days since the bar before",
            lambda p: np.diff(p.day, prepend=p.day[0]).astype(float),
        ),
    }[name]
    return Feature(name, formula, 2 if name == "days_since_bar" else 1, "1", OWN, "close", compute)


def lagged(values: Array, days: int) -> Array:
    """Shift values down by some rows, with NaN at the start."""
    moved = np.full_like(values, np.nan)
    moved[days:] = values[:-days]
    return moved


def ratio(part: Array, whole: Array) -> Array:
    """`part / whole`, or 0 where `whole` is 0, as for a bar without a range."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0)


def from_first(function: Callable[..., Array], *values: Array) -> Array:
    """Apply a TA-Lib function from the first row with all values."""
    first = int(np.argmax(np.isfinite(np.sum(values, axis=0))))
    found = np.full_like(values[0], np.nan)
    found[first:] = function(*(one[first:] for one in values))
    return found


def deviation(values: Array, window: int) -> Array:
    """Standard deviation over a window, from the first row with a value."""
    return from_first(lambda one: talib.STDDEV(one, window), values)


def annualised(variance: Array, window: int) -> Array:
    """Annualised volatility from the mean of daily variances."""
    mean = from_first(lambda one: talib.SMA(one, window), variance)
    return np.sqrt(TRADING_DAYS * np.maximum(mean, 0))


def parkinson(prices: Prices) -> Array:
    return np.log(prices.high / prices.low) ** 2 / (4 * np.log(2))


def garman_klass(prices: Prices) -> Array:
    spread, body = np.log(prices.high / prices.low), np.log(prices.close / prices.open)
    return spread**2 / 2 - (2 * np.log(2) - 1) * body**2


def rogers_satchell(prices: Prices) -> Array:
    high, low = prices.high, prices.low
    up = np.log(high / prices.close) * np.log(high / prices.open)
    return up + np.log(low / prices.close) * np.log(low / prices.open)


def close_location(prices: Prices) -> Array:
    return ratio(2 * prices.close - prices.high - prices.low, prices.high - prices.low)


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


def _weekday(prices: Prices) -> Array:
    """0 on Mondays; day 0 of 1970 was a Thursday."""
    return (prices.day + 3) % 7


def _month(prices: Prices) -> Array:
    """0 in January."""
    return prices.day.astype("datetime64[D]").astype("datetime64[M]").astype(int) % 12


def _month_day(prices: Prices) -> Array:
    days = prices.day.astype("datetime64[D]")
    return (days - days.astype("datetime64[M]")).astype(int) + 1

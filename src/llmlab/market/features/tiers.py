"""The tiers of features: a is part of b, and b is part of c."""

from functools import cache

from llmlab.market.features import indicators as of
from llmlab.market.features.calendar import CALENDAR, calendar
from llmlab.market.features.candles import SHAPES, pattern, shape
from llmlab.market.features.feature import Feature
from llmlab.market.features.volatility import downside, range_volatility, volatility
from llmlab.method.declare.catalog import suggestion
from llmlab.method.errors import LabError

TIERS = ("a", "b", "c")
LAGS = (1, 2, 3, 5, 10)
"""Lags in bars at which tier c repeats the features of tier a."""


@cache
def tier(name: str) -> tuple[Feature, ...]:
    """The features of a tier, in the order of their columns.

    Raises:
        LabError: there is no such tier.
    """
    if name not in TIERS:
        raise LabError(
            f"there is no tier '{name}'{suggestion(name, TIERS)}; use one of {', '.join(TIERS)}."
        )
    if name == "a":
        return tuple(_twenty())
    return (*tier("a"), *_hundred()) if name == "b" else (*tier("b"), *_all())


def _twenty() -> list[Feature]:
    """The indicators that every charting program has."""
    return [
        *(of.log_return(days) for days in (1, 5, 20)),
        *(of.gap("sma", days) for days in (10, 50)),
        *(of.gap("ema", days) for days in (12, 26)),
        *(of.macd(part) for part in range(3)),
        of.rsi(14),
        *(of.stochastic(part) for part in range(2)),
        of.aroon(25),
        of.of_range("adx", 14),
        of.of_range("natr", 14),
        of.bollinger("position", 20),
        of.bollinger("width", 20),
        of.signed_volume(20),
        of.money_flow(14),
    ]


def _hundred() -> list[Feature]:
    """More windows, and less common indicators."""
    return [
        *(of.log_return(days) for days in (2, 3, 10, 40, 60, 120)),
        *(of.gap("sma", days) for days in (5, 20, 100, 200)),
        *(of.gap("ema", days) for days in (5, 50, 100)),
        *(of.gap(kind, 20) for kind in ("wma", "dema", "tema", "trima", "kama", "midpoint", "tsf")),
        *(of.rsi(days) for days in (2, 7, 28)),
        *(of.oscillator(name, days) for name in ("cmo", "trix") for days in (9, 15)),
        *(of.of_range("cci", days) for days in (10, 20, 40)),
        *(of.of_range("adx", days) for days in (7, 28)),
        *(of.of_range(name, 14) for name in ("plus_di", "minus_di", "willr")),
        *(of.of_range("natr", days) for days in (5, 50)),
        of.aroon(14),
        *(of.bollinger(kind, days) for kind in ("position", "width") for days in (10, 50)),
        *(of.channel(days) for days in (20, 55)),
        *(of.drawdown(days) for days in (60, 250)),
        *(of.slope(days) for days in (14, 50)),
        *(volatility(days) for days in (5, 20, 60)),
        *(range_volatility(kind, 20) for kind in ("parkinson", "garman_klass", "rogers_satchell")),
        downside(20),
        of.autocorrelation(20),
        *(of.volume_gap(days) for days in (5, 20, 60)),
        *(of.signed_volume(days) for days in (5, 60)),
        of.money_flow(28),
        of.chaikin_flow(20),
        of.volume_return_correlation(20),
        *(shape(name) for name in SHAPES),
        *(pattern(name) for name in ("doji", "engulfing", "hammer", "harami")),
        *(of.other(name) for name in of.OTHERS),
    ]


def _all() -> list[Feature]:
    """Lags of tier a, further windows, and the calendar."""
    return [
        *(of.lag(feature, days) for days in LAGS for feature in tier("a")),
        *(of.log_return(days) for days in (4, 15, 30, 250)),
        *(of.gap(kind, days) for kind in ("wma", "dema", "tema", "kama") for days in (10, 50)),
        *(of.rsi(days) for days in (5, 21)),
        of.gap("ema", 200),
        *(of.stochastic(part, 5) for part in range(2)),
        of.of_range("willr", 28),
        *(of.channel(days) for days in (10, 120)),
        *(of.slope(days) for days in (5, 120)),
        *(volatility(days) for days in (10, 120)),
        *(range_volatility("parkinson", days) for days in (5, 60)),
        *(pattern(name) for name in ("marubozu", "morning_star", "evening_star")),
        pattern("shooting_star"),
        of.autocorrelation(60),
        of.volume_gap(120),
        *(calendar(name) for name in CALENDAR),
    ]

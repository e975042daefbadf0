"""Realised volatility, from closes and from daily ranges."""

import numpy as np

from llmlab.market.features.feature import OWN, TRADING_DAYS, Array, Feature, Prices
from llmlab.market.features.series import annualised, deviation


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


def parkinson(prices: Prices) -> Array:
    return np.log(prices.high / prices.low) ** 2 / (4 * np.log(2))


def garman_klass(prices: Prices) -> Array:
    spread, body = np.log(prices.high / prices.low), np.log(prices.close / prices.open)
    return spread**2 / 2 - (2 * np.log(2) - 1) * body**2


def rogers_satchell(prices: Prices) -> Array:
    high, low = prices.high, prices.low
    up = np.log(high / prices.close) * np.log(high / prices.open)
    return up + np.log(low / prices.close) * np.log(low / prices.open)

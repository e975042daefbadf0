"""Features of the date alone, known in advance."""

import numpy as np

from llmlab.market.features.feature import OWN, Array, Feature, Prices

CALENDAR = (
    "weekday_sine",
    "weekday_cosine",
    "month_sine",
    "month_cosine",
    "month_part",
    "month_turn",
    "monday",
    "friday",
    "january",
    "days_since_bar",
)


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


def _weekday(prices: Prices) -> Array:
    """0 on Mondays; day 0 of 1970 was a Thursday."""
    return (prices.day + 3) % 7


def _month(prices: Prices) -> Array:
    """0 in January."""
    return prices.day.astype("datetime64[D]").astype("datetime64[M]").astype(int) % 12


def _month_day(prices: Prices) -> Array:
    days = prices.day.astype("datetime64[D]")
    return (days - days.astype("datetime64[M]")).astype(int) + 1

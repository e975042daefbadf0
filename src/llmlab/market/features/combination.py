"""Combine several assets into one data set, if their dates overlap enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from llmlab.market.bars.bars import Bars
from llmlab.method.errors import LabError

FEWEST_COMMON = 60
"""Fewest common days for assets to form one data set."""


@dataclass(frozen=True)
class Overlap:
    """The overlap in the dates of two assets.

    Attributes:
        common: number of days that both have.
        missing: number of days within this asset's span that only the other has.
    """

    name: str
    other: str
    common: int
    missing: int


def overlaps(assets: Sequence[Bars]) -> list[Overlap]:
    """The overlap of each pair of assets."""
    return [_overlap(one, other) for one, other in combinations(assets, 2)]


def combined(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Join the tables of all assets on their common days.

    The asset's name prefixes each column, as in "sp500 rsi_14".
    """
    named = [table.add_prefix(f"{name} ") for name, table in tables.items()]
    return pd.concat(named, axis=1, join="inner")


def require_overlap(assets: Sequence[Bars]) -> None:
    """Raise LabError if two of the assets have too few days in common."""
    for found in overlaps(assets):
        if found.common < FEWEST_COMMON:
            raise LabError(
                f"{found.name} and {found.other} have only {found.common} days in common, and a "
                f"data set needs {FEWEST_COMMON}; choose assets of the same years."
            )


def _overlap(one: Bars, other: Bars) -> Overlap:
    days, others = one.frame.index, other.frame.index
    inside = others[(others >= days[0]) & (others <= days[-1])]
    common = len(days.intersection(others))
    return Overlap(one.name, other.name, common, len(inside) - common)

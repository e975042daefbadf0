"""Several assets as one data set, if their dates allow it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from llmlab.market.bars.bars import Bars
from llmlab.method.errors import LabError

FEWEST_COMMON = 60
"""Days that assets must have in common to be one data set."""


@dataclass(frozen=True)
class Overlap:
    """How the dates of two assets lie.

    Attributes:
        common: days that both have.
        missing: days of the other, within the span of both, that this one has not.
    """

    name: str
    other: str
    common: int
    missing: int


def overlaps(assets: Sequence[Bars]) -> list[Overlap]:
    """The first asset beside each other one."""
    one, *others = assets
    return [_overlap(one, other) for other in others]


def combined(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The tables of all assets side by side, on the days that every one of them has.

    The asset stands before the name of each column, as in "sp500 rsi_14".
    """
    named = [table.add_prefix(f"{name} ") for name, table in tables.items()]
    return pd.concat(named, axis=1, join="inner")


def require_overlap(assets: Sequence[Bars]) -> None:
    """Raise LabError if an asset has too few days in common with the first."""
    for found in overlaps(assets):
        if found.common < FEWEST_COMMON:
            raise LabError(
                f"{found.name} and {found.other} have {found.common} days in common, and a data "
                f"set takes {FEWEST_COMMON}: choose assets of the same years."
            )


def _overlap(one: Bars, other: Bars) -> Overlap:
    days, others = one.frame.index, other.frame.index
    inside = others[(others >= days[0]) & (others <= days[-1])]
    common = len(days.intersection(others))
    return Overlap(one.name, other.name, common, len(inside) - common)

"""Features of a user's bars: compute, check for leaks, write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from llmlab.market.bars.bars import Bars
from llmlab.market.features.combination import combined, require_overlap
from llmlab.market.features.leaks import SAMPLE, require_no_leak
from llmlab.market.features.resampling import resampled
from llmlab.market.features.table import compute, usable, warm_up
from llmlab.market.features.tiers import tier
from llmlab.market.features.volatility_index import with_index
from llmlab.method.declare.catalog import suggestion
from llmlab.method.errors import LabError
from llmlab.method.files import write_file
from llmlab.method.wording import counted


@dataclass(frozen=True)
class FeatureSettings:
    """What to compute.

    Attributes:
        every: "day", "week", or a number of bars as text.
        index: "" for none, "proxy", or the name of an asset that is a volatility index.
    """

    tier: str = "a"
    every: str = "day"
    index: str = ""


@dataclass(frozen=True)
class FeatureTable:
    """The features of one asset.

    Attributes:
        left_out: names of features for which its bars lack columns.
        warm_up: number of rows at the start in which some window is not full.
    """

    asset: str
    table: pd.DataFrame
    left_out: tuple[str, ...]
    warm_up: int


def compute_features(
    bars: Bars, settings: FeatureSettings, others: Mapping[str, Bars]
) -> FeatureTable:
    """Compute the features of one asset, and check each column for leaks.

    Args:
        others: assets among which to find the volatility index.

    Raises:
        LabError: the tier, group of days or index is unknown; there are too few bars; or a column
            sees the future.
    """
    wanted = tier(settings.tier)
    index = _index(settings.index, others)

    def table_of(daily: Bars) -> pd.DataFrame:
        grouped = daily if settings.every == "day" else resampled(daily, settings.every)
        table = compute(usable(wanted, grouped), grouped)
        if not settings.index:
            return table
        return table.join(with_index(grouped, index))

    if index is not None:
        require_overlap([bars, index])
    table = table_of(bars)
    start = warm_up(table)
    if start == len(table):
        raise LabError(
            f"{bars.name} has only {counted(len(table), 'bar')}, too few for the windows of tier "
            f"{settings.tier}; give more bars, or choose a smaller tier."
        )
    days_per_row = -(-len(bars) // len(table))
    require_no_leak(table_of, bars, SAMPLE * days_per_row)
    names = {feature.name for feature in usable(wanted, bars)}
    left_out = tuple(feature.name for feature in wanted if feature.name not in names)
    return FeatureTable(bars.name, table, left_out, start)


def combined_features(assets: Sequence[Bars], found: Sequence[FeatureTable]) -> FeatureTable:
    """Combine the features of several assets; LabError if their dates do not overlap."""
    require_overlap(assets)
    table = combined({one.asset: one.table for one in found})
    left_out = tuple(f"{one.asset} {name}" for one in found for name in one.left_out)
    return FeatureTable("+".join(one.asset for one in found), table, left_out, warm_up(table))


def write_features(found: FeatureTable, folder: Path) -> Path:
    """Write `NAME.parquet` into a folder; errors as in `write_file`."""
    path = folder / f"{found.asset}.parquet"
    write_file(path, found.table.to_parquet())
    return path


def _index(name: str, others: Mapping[str, Bars]) -> Bars | None:
    if name in ("", "proxy"):
        return None
    if name not in others:
        raise LabError(
            f"there is no asset '{name}'{suggestion(name, others)} for the volatility index; "
            f"choose one of {', '.join(others)}, or write proxy."
        )
    return others[name]

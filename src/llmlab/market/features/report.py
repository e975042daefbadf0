"""Output of `llmlab market features`."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table

from llmlab.market.features.dictionary import entries
from llmlab.market.features.survey import FeatureTable
from llmlab.method.plain import plain_console


def print_dictionary() -> None:
    """Print every feature with its tier, formula, window and unit."""
    table = Table("tier", "feature", "formula", "window", "unit", "source", box=box.SIMPLE)
    for entry in entries():
        one = entry.feature
        cells = (one.name, one.formula, str(one.window), one.unit, one.source)
        table.add_row(entry.tier, *cells)
    plain_console().print(table)


def print_features(found: Sequence[FeatureTable], files: Sequence[Path]) -> None:
    """Print one row per table, omitted features, and the files."""
    table = Table("asset", "rows", "first", "last", "features", "warm-up", box=box.SIMPLE)
    for one in found:
        days = one.table.index
        table.add_row(
            one.asset,
            str(len(days)),
            str(days[0].date()),
            str(days[-1].date()),
            str(one.table.shape[1]),
            f"{one.warm_up} rows",
        )
    console = plain_console()
    console.print(table)
    for one in found:
        if one.left_out:
            console.print(
                f"{one.asset}: {len(one.left_out)} features are omitted, since its bars have no "
                f"ranges or volumes ({', '.join(one.left_out[:3])}, ...)."
            )
    console.print("Checked every column on prefixes of the bars: none sees the future.")
    console.print(f"Tables: {', '.join(map(str, files))}.")

"""Output of `llmlab market targets`."""

import math
from collections.abc import Mapping

import pandas as pd
from rich import box
from rich.table import Table

from llmlab.market.samples.targets import WEEK
from llmlab.method.plain import plain_console


def print_balance(found: Mapping[str, pd.DataFrame]) -> None:
    """Print the share of rises by horizon and threshold, one table per asset."""
    console = plain_console()
    for name, shares in found.items():
        columns = [f"> {threshold} %" for threshold in shares.columns]
        table = Table("horizon", *columns, title=f"{name}: how often it rises by", box=box.SIMPLE)
        for horizon, row in shares.iterrows():
            unit = "" if horizon == WEEK else " day" if horizon == "1" else " days"
            table.add_row(f"{horizon}{unit}", *map(_share, row))
        console.print(table)


def _share(share: float) -> str:
    return "–" if math.isnan(share) else f"{share:.1%}"

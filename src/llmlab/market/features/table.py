"""Compute features of bars as one table, one column each."""

from collections.abc import Sequence
from functools import cache, partial

import numpy as np
import pandas as pd

from llmlab.market.bars.bars import Bars
from llmlab.market.features.feature import Feature, Prices
from llmlab.method.errors import LabError


def usable(features: Sequence[Feature], bars: Bars) -> tuple[Feature, ...]:
    """The features for which these bars have columns; closes alone exclude ranges and volumes."""
    has = Prices.of(bars).has
    return tuple(feature for feature in features if feature.need in has)


def compute(features: Sequence[Feature], bars: Bars) -> pd.DataFrame:
    """A table with one row per bar and one column per feature; NaN while a window is not full.

    Raises:
        LabError: a feature needs a column that the bars lack.
    """
    prices = Prices.of(bars)
    for feature in features:
        if feature.need not in prices.has:
            raise LabError(
                f"{bars.name} has no {feature.need}, which {feature.name} needs; choose bars with "
                "it, or leave that feature out."
            )
    values_FR = np.empty((len(features), len(bars)))
    with np.errstate(divide="ignore", invalid="ignore"):
        for row, feature in enumerate(features):
            values_FR[row] = prices.once(feature.name, partial(feature.compute, prices))
            prices.remember(feature.name, values_FR[row])  # instead of a second copy
    columns = _columns(tuple(feature.name for feature in features))
    return pd.DataFrame(values_FR.T, index=bars.frame.index, columns=columns, copy=False)


@cache
def _columns(names: tuple[str, ...]) -> pd.Index:
    return pd.Index(names)  # which takes as long as two indicators


def warm_up(table: pd.DataFrame) -> int:
    """Number of rows at the start in which some window is not full."""
    full = np.isfinite(table.to_numpy()).all(axis=1)
    return int(np.argmax(full)) if full.any() else len(table)

"""Features as a user asks for them: of longer bars, and of several assets in one table."""

import numpy as np
import pandas as pd
import pytest
import talib

from llmlab.market.bars.bars import Bars
from llmlab.market.features import survey
from llmlab.market.features.feature import Feature
from llmlab.market.features.survey import (
    FeatureSettings,
    FeatureTable,
    combined_features,
    compute_features,
)
from llmlab.method.errors import LabError


def highest_of_next_bar(window: int) -> Feature:
    """The highest close over a window that ends one bar later."""

    def compute(prices):
        return np.append(talib.MAX(prices.close, window)[1:], np.nan)

    return Feature("peek", "max C of tomorrow", window, "1", "made", "close", compute)


@pytest.mark.parametrize(("every", "window"), [("day", 200), ("week", 100), ("5", 100)])
def test_a_leak_in_a_long_window_is_caught_at_each_length_of_bar(
    draw, monkeypatch: pytest.MonkeyPatch, every: str, window: int
) -> None:
    monkeypatch.setattr(survey, "tier", lambda name: (highest_of_next_bar(window),))
    with pytest.raises(LabError, match="the feature peek sees the future"):
        compute_features(draw(1000), FeatureSettings(every=every), {})


def table_of(bars: Bars) -> FeatureTable:
    return FeatureTable(bars.name, bars.frame[["close"]], (), 0)


def part(bars: Bars, name: str, start: int, stop: int) -> Bars:
    return Bars(name, bars.frame.iloc[start:stop], "")


def test_a_combined_table_has_the_common_days_of_all(bars: Bars) -> None:
    assets = [part(bars, "one", 0, 300), part(bars, "other", 100, 400)]
    found = combined_features(assets, [table_of(asset) for asset in assets])
    assert found.asset == "one+other"
    pd.testing.assert_index_equal(found.table.index, bars.frame.index[100:300], check_names=False)


def test_assets_that_only_overlap_in_pairs_are_refused(bars: Bars) -> None:
    assets = [
        part(bars, "whole", 0, 400),
        part(bars, "early", 0, 150),
        part(bars, "late", 150, 400),
    ]
    with pytest.raises(LabError, match="early and late have only 0 days in common"):
        combined_features(assets, [table_of(asset) for asset in assets])

import numpy as np
import pytest

from llmlab.market.bars.bars import Bars
from llmlab.market.features.dictionary import entries
from llmlab.market.features.table import compute
from llmlab.market.features.tiers import TIERS, tier
from llmlab.method.errors import LabError


@pytest.mark.parametrize(
    ("name", "least", "most"), [("a", 20, 20), ("b", 95, 105), ("c", 240, 260)]
)
def test_tiers_have_the_size_that_they_promise(name: str, least: int, most: int) -> None:
    names = [feature.name for feature in tier(name)]
    assert least <= len(names) <= most
    assert len(set(names)) == len(names)


def test_each_tier_begins_with_the_one_before() -> None:
    a, b, c = map(tier, TIERS)
    assert b[: len(a)] == a
    assert c[: len(b)] == b


def test_an_unknown_tier_is_named() -> None:
    with pytest.raises(LabError, match="no tier 'd'"):
        tier("d")


def test_rows_are_missing_until_the_window_is_full(bars: Bars) -> None:
    """So that an embargo of the windows covers all that a feature looks at."""
    features = [f for f in tier("c") if not f.name.startswith(("candle", "days_since"))]
    missing = np.isnan(compute(features, bars).to_numpy()).sum(axis=0)
    assert {f.name: int(rows) for f, rows in zip(features, missing, strict=True)} == {
        f.name: f.window - 1 for f in features
    }


def test_features_do_not_know_the_level_of_the_price(bars: Bars) -> None:
    dear = Bars(bars.name, bars.frame * [64, 64, 64, 64, 1], "")
    features = tier("b")
    np.testing.assert_allclose(compute(features, dear), compute(features, bars), 1e-6, 1e-9)


def test_the_dictionary_has_every_feature_once_with_its_formula() -> None:
    lines = list(entries())
    assert len({line.feature.name for line in lines}) == len(lines) == len(tier("c")) + 8
    assert all(line.feature.formula and line.feature.unit and line.feature.source for line in lines)

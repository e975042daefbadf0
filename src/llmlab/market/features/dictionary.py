"""The data dictionary of the features, generated from their definitions."""

from collections.abc import Iterator
from dataclasses import dataclass

from llmlab.market.features.feature import Feature
from llmlab.market.features.tiers import TIERS, tier
from llmlab.market.features.volatility_index import index_features


@dataclass(frozen=True)
class Entry:
    """One line: a feature, and the smallest tier that includes it."""

    tier: str
    feature: Feature


def entries() -> Iterator[Entry]:
    """Every feature once, tier by tier, with those of the volatility index at the end."""
    seen: set[str] = set()
    for name in TIERS:
        for feature in tier(name):
            if feature.name not in seen:
                seen.add(feature.name)
                yield Entry(name, feature)
    for feature in index_features("volatility_index"):
        yield Entry("index", feature)

"""A user's question about bars, and the study that answers it."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmlab.market.bars.bars import Bars
from llmlab.market.features.resampling import is_longer
from llmlab.market.features.table import usable
from llmlab.market.features.tiers import tier
from llmlab.market.models.study import Study
from llmlab.market.samples.targets import Target
from llmlab.market.samples.windows import Recipe
from llmlab.method.errors import LabError
from llmlab.method.wording import counted

PATCHES = (2, 4, 8)
"""Days per token that a search tries; a look-back must be a multiple of all of them."""


@dataclass(frozen=True)
class Question:
    """Whether the first asset rises, predicted by a model trained on all assets.

    Attributes:
        look_back: window in days.
    """

    tier: str = "a"
    horizon: str = "1"
    threshold: float = 0.0
    look_back: int = 16

    def study(self, assets: Sequence[Bars]) -> Study:
        """The study of these assets, with every feature of the tier that all assets support.

        Raises:
            LabError: the tier, horizon or threshold is invalid, the look-back has an unsuitable
                length, or one of them is longer than the bars.
        """
        self._require_lengths(len(assets[0]))
        features = tier(self.tier)
        for bars in assets:
            features = usable(features, bars)
        longest = max(feature.window for feature in features)
        target = Target(self.horizon, self.threshold)
        return Study(tuple(assets), Recipe(features, target, self.look_back, warm_up=longest))

    def _require_lengths(self, n_bars: int) -> None:
        """Check the look-back, and that neither it nor the horizon is longer than the bars."""
        if self.look_back < max(PATCHES) or self.look_back % max(PATCHES):
            raise LabError(
                f"--look-back cannot be {self.look_back}; give a multiple of {max(PATCHES)} days."
            )
        for option, days in (("--look-back", str(self.look_back)), ("--horizon", self.horizon)):
            if is_longer(days, n_bars):
                raise LabError(
                    f"{option} {days} is longer than the {counted(n_bars, 'bar')}; give fewer days."
                )

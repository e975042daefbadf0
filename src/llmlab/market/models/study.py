"""One question to one model on one chunk of test days, which gives one row of an experiment."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from llmlab.gpt.training import available_memory, best_device
from llmlab.market.bars.bars import Bars
from llmlab.market.bars.sources import load
from llmlab.market.models import baselines
from llmlab.market.models.architecture import Architecture, within_budget
from llmlab.market.models.scores import Score, score
from llmlab.market.models.training import Trained, Training, train
from llmlab.market.samples.targets import in_words, labels
from llmlab.market.samples.windows import Label, Parts, Recipe, make_parts
from llmlab.method.errors import LabError

INDEX = (("arch", "sp500"),)
ALL_ASSETS = (
    *INDEX,
    ("arch", "nasdaq"),
    ("pmdarima", "msft"),
    *(("bokeh-sampledata", name) for name in ("aapl", "fb", "goog", "ibm")),
)
"""Source and name of every asset with complete bars; the S&P 500 is the one evaluated."""

BYTES_PER_PARAMETER = 20
"""Weights, the best so far, gradients and two moments of AdamW, each in 32 bits."""

BASELINES = {
    "constant": baselines.constant,
    "logistic": baselines.logistic,
    "HAR": baselines.logistic,
    "boosting": baselines.boosting,
}
"""The fitting functions; HAR is logistic regression on its own features."""


@dataclass(frozen=True)
class Answer:
    """A model's predictions for the test days.

    Attributes:
        probability_M: probability of a rise.
        base_rate: share of rises among the training samples.
        trained: the trained transformer; None for baselines.
    """

    probability_M: np.ndarray
    score: Score
    parts: Parts
    base_rate: float
    trained: Trained | None = None


@dataclass(frozen=True)
class Study:
    """The data, and the recipe for samples.

    Attributes:
        assets: all are used for training; the first is evaluated.
        label: labels samples; tests replace it to plant or shuffle labels.
    """

    assets: tuple[Bars, ...]
    recipe: Recipe
    label: Label = labels

    def parts(self, test_chunk: int) -> Parts:
        return make_parts(self.assets, self.recipe, test_chunk, self.label)

    def baseline(self, name: str, test_chunk: int) -> Answer:
        """The answer of one of `BASELINES`."""
        recipe = replace(self.recipe, features=baselines.HAR) if name == "HAR" else self.recipe
        parts = replace(self, recipe=recipe).parts(test_chunk)
        return self.judge(BASELINES[name](parts)(parts.test), parts)

    def transformer(self, budget: int, training: Training, test_chunk: int) -> Answer:
        """The answer of the transformer with this budget, trained with the chunk as seed.

        Raises:
            LabError: no shape has that many parameters, or there are too few bars.
        """
        shape = self.shape(budget)
        parts = self.parts(test_chunk)
        found = train(shape, training, parts, seed=test_chunk)
        return self.judge(found.probabilities(parts.test), parts, found)

    def judge(
        self, probability_M: np.ndarray, parts: Parts, found: Trained | None = None
    ) -> Answer:
        """Score probabilities of the test samples."""
        base_rate, reach = float(parts.train.y_M.mean()), self.recipe.target.reach
        judged = score(probability_M, parts.test.y_M, base_rate, reach)
        return Answer(probability_M, judged, parts, base_rate, found)

    def shape(self, budget: int) -> Architecture:
        base = Architecture(len(self.recipe.features), self.recipe.look_back)
        return within_budget(base, budget)[0]


def real_bars(names: Sequence[tuple[str, str]]) -> tuple[Bars, ...]:
    """Load bars by source and name; errors as in `sources.load`."""
    return tuple(_assets(source)[name] for source, name in names)


@cache
def _assets(source: str) -> dict[str, Bars]:
    return load(source)


def weekly(gain_M: Sequence[float], days: int = 5) -> list[tuple[int, float]]:
    """Mean gain of consecutive groups of test days, for a curve."""
    gains = np.asarray(gain_M, dtype=float)
    return [
        (start // days, float(gains[start : start + days].mean()))
        for start in range(0, len(gains), days)
    ]


def require_samples(study: Study, test_chunk: int) -> None:
    """Check that every part has samples, and that the training days know both answers.

    Raises:
        LabError: some part has no samples, or all training samples have the same answer.
    """
    parts, recipe = study.parts(test_chunk), study.recipe
    if not all(len(part) for part in (parts.train, parts.validation, parts.test)):
        raise LabError(
            f"{len(study.assets[0])} days are too few for {recipe.n_chunks} chunks, since the "
            f"windows of {len(recipe.features)} features leave one of them without a sample; give "
            "more bars, or a shorter look-back or horizon, or a smaller tier."
        )
    if len(np.unique(parts.train.y_M)) == 1:
        raise LabError(
            f"{in_words(recipe.target)} comes true on {'all' if parts.train.y_M[0] else 'none'} of "
            "the training days, so there is nothing to learn; choose another --threshold or "
            "--horizon."
        )


def require_memory(budget: int) -> None:
    """Check that a transformer of that many parameters can be trained on this machine.

    Raises:
        LabError: its training alone needs more than all the memory.
    """
    needed, there = BYTES_PER_PARAMETER * budget, available_memory(best_device())
    if needed > there:
        raise LabError(
            f"training {budget:,} parameters takes {needed / 1e9:,.1f} GB, and this machine has "
            f"{there / 1e9:.1f}; give a smaller --budget, or use a GPU with more."
        )

"""The alarm of the whole pipeline: it finds what is planted, and nothing where labels are noise."""

from dataclasses import replace

import numpy as np
import pytest

from llmlab.market.bars.bars import Bars
from llmlab.market.features.indicators import log_return
from llmlab.market.features.tiers import tier
from llmlab.market.models.study import Study, weekly
from llmlab.market.models.training import Training
from llmlab.market.samples.targets import Target, labels
from llmlab.market.samples.windows import Recipe

BRIEF = Training(epochs=8)
RECIPE = Recipe(tier("a")[:3], Target("1"), look_back=8, n_chunks=6)


def shuffled(bars: Bars, target: Target) -> np.ndarray:
    found = labels(bars, target)
    known = np.isfinite(found)
    found[known] = np.random.default_rng(1).permutation(found[known])
    return found


@pytest.fixture(scope="module")
def study(draw) -> Study:
    return Study((draw(1500),), RECIPE)


def tomorrow(study: Study) -> Study:
    """The same with tomorrow's return as a feature."""
    peek = replace(
        log_return(1),
        name="tomorrow",
        compute=lambda prices: np.append(prices.log_return[1:], np.nan),
    )
    return replace(study, recipe=replace(study.recipe, features=(*study.recipe.features, peek)))


@pytest.mark.parametrize("model", ["logistic", "HAR", "boosting", "transformer"])
def test_shuffled_labels_have_no_skill(study: Study, model: str) -> None:
    noise = replace(study, label=shuffled)
    if model == "transformer":
        answer = noise.transformer(1000, BRIEF, 2)
    else:
        answer = noise.baseline(model, 2)
    assert abs(answer.score.gain) < 0.02
    assert answer.score.diebold_mariano < 3


def test_tomorrows_return_is_found(study: Study) -> None:
    leaky = tomorrow(study)
    assert leaky.baseline("logistic", 2).score.brier_skill > 0.7
    assert (
        leaky.transformer(
            1000, Training(learning_rate=1e-2, epochs=8, batch_size=128), 2
        ).score.brier_skill
        > 0.5
    )


def test_another_chunk_is_another_period(study: Study) -> None:
    one, other = (study.baseline("constant", chunk).parts.test.day_M for chunk in (1, 4))
    assert not set(one) & set(other)


def test_weekly_gains_keep_the_mean() -> None:
    assert weekly([1, 2, 3, 4, 5, 8, 10]) == [(0, 3.0), (1, 9.0)]

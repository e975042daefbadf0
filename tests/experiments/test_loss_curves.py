from pathlib import Path

import pytest

from llmlab.experiments.loss_curves import EXPERIMENT, RECIPES, Recipe, spoilt
from llmlab.finetune.curves.causes import CAUSES
from llmlab.finetune.tasks.skills import Item
from llmlab.method.declare.experiment import Outcome, Trial

ITEMS = tuple(Item(f"{number}=", "x") for number in range(200))


def outcome_of(cause: str, base: Path) -> Outcome:
    settings = {**EXPERIMENT.budgets["smoke"].settings, "steps": 20}
    condition = {"cause": cause, "dose": "strong"}
    needs = {"base_model": base}
    return EXPERIMENT.run(Trial(EXPERIMENT.name, "smoke", condition, 0, settings, needs, base))


def test_a_run_fills_every_column(untrained_base: Path) -> None:
    outcome = outcome_of("healthy", untrained_base)
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}


def test_a_run_gets_one_name(untrained_base: Path) -> None:
    metrics = outcome_of("label noise", untrained_base).metrics
    assert sum(value for name, value in metrics.items() if name.startswith("named_")) == 1


def test_every_cause_that_the_rules_name_is_made(untrained_base: Path) -> None:
    assert {cause for cause, _ in RECIPES} == set(CAUSES)


@pytest.mark.parametrize("cause", [cause for cause in CAUSES if cause != "healthy"])
def test_a_cause_differs_from_the_healthy_recipe_in_more_than_its_name(cause: str) -> None:
    assert RECIPES[cause, "strong"] != RECIPES["healthy", "strong"]


def test_a_share_of_the_answers_is_wrong() -> None:
    trained = spoilt(ITEMS, Recipe(wrong_share=0.25), seed=0)
    assert sum(item.answer != "x" for item in trained) == 50


def test_wrong_answers_belong_to_the_same_prompts() -> None:
    trained = spoilt(ITEMS, Recipe(wrong_share=0.25), seed=0)
    assert {item.prompt for item in trained} == {item.prompt for item in ITEMS}


def test_tiny_data_is_a_few_items_drawn_by_the_seed() -> None:
    drawn = [
        {item.prompt for item in spoilt(ITEMS, Recipe(train_items=8), seed)} for seed in (0, 1)
    ]
    assert len(drawn[0]) == 8
    assert drawn[0] != drawn[1]

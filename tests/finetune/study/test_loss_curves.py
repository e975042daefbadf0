from pathlib import Path

import pytest

from llmlab.finetune.model.base_model import new_base_model, save_base_model
from llmlab.finetune.model.methods import Full
from llmlab.finetune.study.loss_curves import FIRST_STEPS, run_with_curves
from llmlab.finetune.study.tuning import Tuning, tuned_model
from llmlab.finetune.tasks.skills import Item
from llmlab.finetune.tasks.task import Task
from llmlab.gpt.training import TrainConfig

ITEMS = (Item("a=", "x"), Item("b=", "y"), Item("c=", "z"))


@pytest.fixture
def tuning(tmp_path: Path) -> Tuning:
    save_base_model(new_base_model(d_model=16, n_layers=1, n_heads=2, context=32, seed=0), tmp_path)
    return Tuning(
        base=tmp_path,
        task=Task(train=ITEMS, validation=ITEMS, test=ITEMS),
        method=Full(),
        config=TrainConfig(learning_rate=1e-2, steps=23, log_every=1),
        batch_size=3,
        seed=0,
        suite_items=0,
    )


def test_every_step_has_a_training_loss(tuning: Tuning) -> None:
    _, watched = run_with_curves(tuning, every=5)
    assert watched.training.steps == tuple(range(23))


def test_validation_is_dense_at_first_and_holds_start_and_end(tuning: Tuning) -> None:
    _, watched = run_with_curves(tuning, every=5)
    assert watched.validation.steps == (*range(FIRST_STEPS + 1), 15, 20, 23)


def test_looking_changes_nothing(tuning: Tuning) -> None:
    _, watched = run_with_curves(tuning, every=1)
    _, history = tuned_model(tuning)
    assert list(zip(watched.training.steps, watched.training.values, strict=True)) == history.curve(
        "loss"
    )


def test_before_training_both_losses_are_those_of_the_base(tuning: Tuning) -> None:
    _, watched = run_with_curves(tuning, every=5)
    assert watched.validation.values[0] == pytest.approx(watched.training.values[0], rel=1e-5)

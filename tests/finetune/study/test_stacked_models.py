from dataclasses import replace
from pathlib import Path

import pytest

from llmlab.finetune.model.base_model import new_base_model, save_base_model
from llmlab.finetune.model.methods import Full
from llmlab.finetune.study.stacked_models import fine_tune_models
from llmlab.finetune.study.sweeps import can_stack
from llmlab.finetune.study.tuning import Tuned, Tuning, fine_tune
from llmlab.finetune.tasks.skills import Item
from llmlab.finetune.tasks.task import Task
from llmlab.gpt.training import TrainConfig

ITEMS = tuple(Item(f"{a}+{b}=", str(a + b)) for a in range(5) for b in range(5))


@pytest.fixture
def tuning(tmp_path: Path) -> Tuning:
    save_base_model(new_base_model(d_model=32, n_layers=2, n_heads=2, context=32, seed=0), tmp_path)
    return Tuning(
        base=tmp_path,
        task=Task(train=ITEMS, validation=ITEMS[:7], test=ITEMS[7:]),
        method=Full(),
        config=TrainConfig(1e-3, steps=12, log_every=1, weight_decay=0.1),
        batch_size=4,
        seed=0,
        suite_items=6,
    )


def with_rate(tuning: Tuning, rate: float, seed: int) -> Tuning:
    return replace(tuning, config=replace(tuning.config, learning_rate=rate), seed=seed)


def assert_alike(together: Tuned, alone: Tuned) -> None:
    losses, expected = (each.history.curve("loss") for each in (together, alone))
    assert [loss for _, loss in losses] == pytest.approx([loss for _, loss in expected], rel=1e-4)
    assert together.history.diverged_at == alone.history.diverged_at
    assert together.history.tokens == alone.history.tokens
    assert together.validation.loss == pytest.approx(alone.validation.loss, rel=1e-4, nan_ok=True)
    assert together.suites == alone.suites


def test_models_trained_at_once_give_what_each_gives_alone(tuning: Tuning) -> None:
    tunings = [tuning, with_rate(tuning, 1e-2, seed=1), with_rate(tuning, 1e30, seed=2)]
    assert all(can_stack(tuning, other) for other in tunings)
    for together, each in zip(fine_tune_models(tunings), tunings, strict=True):
        assert_alike(together, fine_tune(each))

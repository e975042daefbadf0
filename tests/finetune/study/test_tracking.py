from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from llmlab.finetune.model.base_model import load_base_model, new_base_model, save_base_model
from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.study.tracking import (
    Check,
    at_accuracy,
    loss_correlation,
    split_by_length,
    tracked_run,
)
from llmlab.finetune.study.tuning import Tuning, tuned_model
from llmlab.finetune.tasks.replay import with_replay
from llmlab.finetune.tasks.skills import SKILLS, TOKENIZER, Item, subtraction
from llmlab.finetune.tasks.suites import grade
from llmlab.finetune.tasks.task import Task
from llmlab.gpt.training import TrainConfig

CPU = torch.device("cpu")
NEW = subtraction().train[:96]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_base_model(new_base_model(d_model=16, n_layers=1, n_heads=2, context=32, seed=0), tmp_path)
    return tmp_path


def tuning(folder: Path, train: Sequence[Item], learning_rate: float = 5e-3) -> Tuning:
    return Tuning(
        base=folder,
        task=Task(train=train, validation=NEW[:10], test=NEW[10:20]),
        method=LoraSpec(rank=2, alpha=4),
        config=TrainConfig(learning_rate=learning_rate, steps=6, log_every=1),
        batch_size=8,
        seed=0,
        suite_items=5,
    )


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_a_watched_run_trains_as_one_that_nobody_watches(folder: Path, share: float) -> None:
    described = tuning(folder, with_replay(NEW, share, seed=0))
    plain, history = tuned_model(described)
    watched = tracked_run(described, every=2, n_items=3)
    assert [point.loss for point in watched.history.points] == pytest.approx(
        [point.loss for point in history.points], rel=1e-5
    )
    for one, other in zip(plain.parameters(), watched.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_a_watched_run_is_looked_at_from_the_base_model_on(folder: Path) -> None:
    watched = tracked_run(tuning(folder, NEW), every=2, n_items=3)
    base = load_base_model(folder, CPU)
    losses = [grade(base, skill().test[:3], CPU).loss for skill in SKILLS.values()]
    assert [check.step for check in watched.checks] == [0, 2, 4, 6]
    assert watched.checks[0].old_loss == pytest.approx(sum(losses) / 4)


def test_a_run_that_diverges_is_not_looked_at_again(folder: Path) -> None:
    watched = tracked_run(tuning(folder, NEW, learning_rate=float("inf")), every=2, n_items=3)
    assert watched.history.diverged_at is not None
    assert [check.step for check in watched.checks] == [0]


@pytest.mark.parametrize("rows", ["short", "long", "short long short"])
def test_short_rows_computed_apart_give_the_same_logits(rows: str) -> None:
    model = new_base_model(d_model=16, n_layers=1, n_heads=2, context=32, seed=0)
    tokens_BT = torch.randint(1, TOKENIZER.vocab_size, (len(rows.split()), 12))
    for index, kind in enumerate(rows.split()):
        if kind == "short":
            tokens_BT[index, 5:] = TOKENIZER.PAD
    logits_BTV = split_by_length(model, width=5)(tokens_BT)
    assert logits_BTV.shape == model(tokens_BT).shape
    counted_BT = tokens_BT != TOKENIZER.PAD
    torch.testing.assert_close(logits_BTV[counted_BT], model(tokens_BT)[counted_BT])


def checks(*looks: tuple[float, float]) -> list[Check]:
    """Looks ten steps apart, each of a new accuracy and an old one."""
    return [
        Check(10 * index, new, 2 - 2 * new, old, 1 - old) for index, (new, old) in enumerate(looks)
    ]


def test_a_target_between_two_looks_is_found_on_the_line() -> None:
    looks = checks((0.0, 1.0), (0.3, 0.8), (0.5, 0.4), (0.2, 0.0), (0.9, 0.0))
    assert at_accuracy(looks, 0.4, lambda check: check.old_accuracy) == pytest.approx(0.6)
    assert at_accuracy(looks, 0.4, lambda check: check.step) == pytest.approx(15)


def test_a_target_that_is_never_reached_has_no_value() -> None:
    assert np.isnan(at_accuracy(checks((0.0, 1.0), (0.3, 0.8)), 0.4, lambda check: check.step))


def test_losses_on_a_line_are_correlated_fully_but_for_the_base_model() -> None:
    line = checks((0.9, 0.9), (0.1, 0.9), (0.2, 0.8), (0.4, 0.6))
    assert loss_correlation(line) == pytest.approx(-1)


def test_a_loss_that_does_not_move_has_no_correlation() -> None:
    assert np.isnan(loss_correlation(checks((0.0, 1.0), (0.1, 0.5), (0.3, 0.5))))

from pathlib import Path

import pytest
import torch

from llmlab.finetune.model.base_model import load_base_model, new_base_model, save_base_model
from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.model.methods import Full, Method
from llmlab.finetune.study.tuning import Tuned, Tuning, fine_tune
from llmlab.finetune.tasks.skills import Item
from llmlab.finetune.tasks.suites import suite_accuracies
from llmlab.finetune.tasks.task import Task
from llmlab.gpt.training import TrainConfig

ITEMS = (Item("a=", "x"), Item("b=", "y"), Item("c=", "z"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_base_model(new_base_model(d_model=32, n_layers=1, n_heads=2, context=32, seed=0), tmp_path)
    return tmp_path


LORA = LoraSpec(rank=8, alpha=16)


def tune(folder: Path, steps: int, method: Method = LORA) -> Tuned:
    return fine_tune(
        Tuning(
            base=folder,
            task=Task(train=ITEMS, validation=ITEMS, test=ITEMS),
            method=method,
            config=TrainConfig(learning_rate=2e-2, steps=steps),
            batch_size=3,
            seed=0,
            suite_items=5,
        )
    )


@pytest.mark.parametrize("method", [LORA, Full()])
def test_every_method_learns_a_small_task(folder: Path, method: Method) -> None:
    assert tune(folder, steps=60, method=method).test.accuracy == 1.0


def test_the_same_seed_gives_the_same_result(folder: Path) -> None:
    assert tune(folder, steps=5) == tune(folder, steps=5)


def test_forgetting_of_an_untrained_base_is_its_accuracy_lost(folder: Path) -> None:
    before = suite_accuracies(load_base_model(folder, torch.device("cpu")), 5, torch.device("cpu"))
    tuned = tune(folder, steps=2)
    lost = [before[name] - tuned.suites[name] for name in before]
    assert tuned.forgetting == pytest.approx(sum(lost) / 4)

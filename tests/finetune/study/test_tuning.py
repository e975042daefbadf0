from pathlib import Path

import pytest
import torch

from llmlab.finetune.model.base_model import load_base_model, new_base_model, save_base_model
from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.model.methods import Full, Method
from llmlab.finetune.study.tuning import Tuned, Tuning, fine_tune, tuning_of
from llmlab.finetune.tasks.skills import Item
from llmlab.finetune.tasks.suites import suite_accuracies
from llmlab.finetune.tasks.task import Task
from llmlab.gpt.training import TrainConfig
from llmlab.method.declare.experiment import Trial

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


def test_a_trial_says_what_is_run_and_an_experiment_what_differs(tmp_path: Path) -> None:
    trial = Trial(
        experiment="toy",
        scale="smoke",
        condition={"learning_rate": 0.1, "facts": 64},
        seed=7,
        settings={"steps": 5, "batch_size": 4, "suite_items": 3, "precision": "bfloat16"},
        needs={"base_model": tmp_path},
        keep=tmp_path,
    )
    task = Task(ITEMS, ITEMS, ITEMS)
    assert tuning_of(trial, task, Full()) == Tuning(
        base=tmp_path,
        task=task,
        method=Full(),
        config=TrainConfig(0.1, steps=5, precision="bfloat16"),
        batch_size=4,
        seed=7,
        suite_items=3,
    )
    changed = tuning_of(trial, task, Full(), batch_size=8, seed=8, log_every=2)
    assert (changed.batch_size, changed.seed, changed.config.log_every) == (8, 8, 2)

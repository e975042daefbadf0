"""Fine-tune the base model on one task, and see what it learned and forgot."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import nn

from llmlab.finetune.base import load_base
from llmlab.finetune.batches import encode, epochs
from llmlab.finetune.methods import Method
from llmlab.finetune.skills import Item
from llmlab.finetune.suites import suite_accuracies
from llmlab.gpt.training import (
    Evaluation,
    History,
    TrainConfig,
    best_device,
    evaluate,
    train,
)


@dataclass(frozen=True)
class Task:
    """What a fine-tuning run learns from and is graded on."""

    train: Sequence[Item]
    validation: Sequence[Item]
    test: Sequence[Item]


@dataclass(frozen=True)
class Tuned:
    """What came of one fine-tuning run.

    Attributes:
        validation: on the items that choose hyper-parameters.
        test: on the items that are reported.
        suites: accuracy on each of the base model's skills afterwards.
        forgetting: mean over the skills of accuracy before minus accuracy after.
    """

    history: History
    validation: Evaluation
    test: Evaluation
    suites: dict[str, float]
    forgetting: float


def fine_tune(
    base: Path,
    task: Task,
    method: Method,
    config: TrainConfig,
    *,
    batch_size: int,
    seed: int,
    suite_items: int,
) -> Tuned:
    """One run of `tuned_model`, graded."""
    model, history = tuned_model(base, task, method, config, batch_size=batch_size, seed=seed)
    device = best_device()
    suites = suite_accuracies(model, suite_items, device)
    before = accuracies_of_base(base, suite_items)
    return Tuned(
        history=history,
        validation=grade(model, task.validation, device),
        test=grade(model, task.test, device),
        suites=suites,
        forgetting=sum(before[name] - suites[name] for name in suites) / len(suites),
    )


def tuned_model(
    base: Path, task: Task, method: Method, config: TrainConfig, *, batch_size: int, seed: int
) -> tuple[nn.Module, History]:
    """A model tuned from the base in folder `base`; `seed` fixes adapter and data order."""
    device = best_device()
    model = method.adapt(load_base(base, device), seed).to(device)
    batches = epochs(encode(task.train).to(device), batch_size, seed)
    return model, train(model, batches, config)


@cache
def accuracies_of_base(base: Path, n_items: int) -> dict[str, float]:
    """Accuracy of the base model itself on the first `n_items` test items of each skill."""
    device = best_device()
    return suite_accuracies(load_base(base, device), n_items, device)


def grade(model: nn.Module, items: Sequence[Item], device: torch.device) -> Evaluation:
    """Loss and exact answers on `items`."""
    sequences = encode(items).to(device)
    return evaluate(model, sequences.tokens_NT, sequences.targets_NT)

"""Fine-tune the base model with LoRA on one task, and see what it learned and forgot."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import nn

from llmlab.finetune.base import load_base
from llmlab.finetune.batches import encode, epochs
from llmlab.finetune.lora import LoraSpec, add_lora
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
    adapter: LoraSpec,
    config: TrainConfig,
    *,
    batch_size: int,
    seed: int,
    suite_items: int,
) -> Tuned:
    """One LoRA run from the base model in folder `base`; `seed` fixes adapter and data order."""
    device = best_device()
    model = add_lora(load_base(base, device), adapter, seed).to(device)
    batches = epochs(encode(task.train).to(device), batch_size, seed)
    history = train(model, batches, config)
    suites = suite_accuracies(model, suite_items, device)
    before = _accuracies_of_base(base, suite_items)
    return Tuned(
        history=history,
        validation=_grade(model, task.validation, device),
        test=_grade(model, task.test, device),
        suites=suites,
        forgetting=sum(before[name] - suites[name] for name in suites) / len(suites),
    )


@cache
def _accuracies_of_base(base: Path, n_items: int) -> dict[str, float]:
    device = best_device()
    return suite_accuracies(load_base(base, device), n_items, device)


def _grade(model: nn.Module, items: Sequence[Item], device: torch.device) -> Evaluation:
    sequences = encode(items).to(device)
    return evaluate(model, sequences.tokens_NT, sequences.targets_NT)

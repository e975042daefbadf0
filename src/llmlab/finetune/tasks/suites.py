"""Grade a model on the four skills."""

from collections.abc import Sequence
from functools import cache

import torch
from torch import nn

from llmlab.finetune.tasks.batches import Sequences, encode
from llmlab.finetune.tasks.skills import SKILLS, Item
from llmlab.gpt.training import Evaluation, evaluate


def suite_grades(model: nn.Module, n_items: int, device: torch.device) -> dict[str, Evaluation]:
    """Loss and exact answers on the first `n_items` test items of each skill."""
    return {
        name: evaluate(model, suite.tokens_NT, suite.targets_NT)
        for name, suite in _suites(n_items, device).items()
    }


def suite_accuracies(model: nn.Module, n_items: int, device: torch.device) -> dict[str, float]:
    """Exact-match accuracy on the first `n_items` test items of each skill."""
    return {name: grade.accuracy for name, grade in suite_grades(model, n_items, device).items()}


@cache
def _suites(n_items: int, device: torch.device) -> dict[str, Sequences]:
    return {name: encode(skill().test[:n_items]).to(device) for name, skill in SKILLS.items()}


def grade(model: nn.Module, items: Sequence[Item], device: torch.device) -> Evaluation:
    """Loss and exact answers on `items`."""
    sequences = encode(items).to(device)
    return evaluate(model, sequences.tokens_NT, sequences.targets_NT)

"""Grade a model on the four skills."""

from functools import cache

import torch
from torch import nn

from llmlab.finetune.batches import Sequences, encode
from llmlab.finetune.skills import SKILLS
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

"""Repairs as sequences to train on, and their names changed each time they are seen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from llmlab.finetune.tasks.batches import Sequences, epochs
from llmlab.gpt.model import IGNORE
from llmlab.gpt.training import Batch
from llmlab.sleep.coder.tokens import CodeTokens
from llmlab.sleep.koans.grammar import FUNCTIONS, TYPES, VARIABLES, VARIANTS, WORDS
from llmlab.sleep.repair.task import Task


@dataclass(frozen=True)
class Lesson:
    """A task, and an edit that makes it green."""

    task: Task
    edit: str


def encoded(lessons: Sequence[Lesson], tokens: CodeTokens, *, whole: bool = False) -> Sequences:
    """Lessons as one tensor, padded on the right; targets are those of the edit alone.

    Args:
        whole: the targets of the prompt count, too.
    """
    texts = [(tokens.prompt(lesson.task), tokens.answer(lesson.edit)) for lesson in lessons]
    width = max(len(prompt) + len(answer) - 1 for prompt, answer in texts)
    tokens_NT = torch.full((len(texts), width), tokens.pad)
    targets_NT = torch.full((len(texts), width), IGNORE)
    for row, (prompt, answer) in enumerate(texts):
        text = torch.tensor(prompt + answer)
        first = 0 if whole else len(prompt) - 1
        tokens_NT[row, : len(text) - 1] = text[:-1]
        targets_NT[row, first : len(text) - 1] = text[first + 1 :]
    return Sequences(tokens_NT, targets_NT)


def renamed(batches: Iterator[Batch], tokens: CodeTokens, seed: int) -> Iterator[Batch]:
    """Each sequence with its names changed for others of their kind, the same wherever it stands.

    What a program does and why it is red stays as it is.
    """
    random = torch.Generator().manual_seed(seed)
    pools = [
        torch.tensor([tokens.ids[name] for name in pool if name in tokens.ids])
        for pool in (VARIABLES, FUNCTIONS, TYPES, VARIANTS, WORDS)
    ]
    for inputs_BT, targets_BT in batches:
        map_BV = torch.arange(len(tokens.names)).repeat(len(inputs_BT), 1)
        for pool_P in pools:
            order_BP = torch.rand((len(inputs_BT), len(pool_P)), generator=random).argsort(1)
            map_BV[:, pool_P] = pool_P[order_BP]
        yield map_BV.gather(1, inputs_BT), _mapped(map_BV, targets_BT)


def _mapped(map_BV: Tensor, targets_BT: Tensor) -> Tensor:
    is_counted_BT = targets_BT != IGNORE
    new_BT = map_BV.gather(1, targets_BT.clamp(min=0))
    return torch.where(is_counted_BT, new_BT, targets_BT)


def lesson_batches(
    lessons: Sequence[Lesson],
    tokens: CodeTokens,
    batch_size: int,
    seed: int,
    *,
    whole: bool = False,
) -> Iterator[Batch]:
    """Endless batches of lessons, each time with new names."""
    return renamed(epochs(encoded(lessons, tokens, whole=whole), batch_size, seed), tokens, seed)

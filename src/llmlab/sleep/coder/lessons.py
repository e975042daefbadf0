"""Repairs as sequences to train on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from llmlab.finetune.tasks.batches import Sequences, epochs
from llmlab.gpt.model import IGNORE
from llmlab.gpt.training import Batch, best_device
from llmlab.sleep.coder.tokens import CodeTokens
from llmlab.sleep.repair.task import Task

SORTED = 16
"""Batches that are drawn together and split by length, so that they hold little padding."""


@dataclass(frozen=True)
class Lesson:
    """A task, and an edit that makes it green."""

    task: Task
    edit: str


def encoded(lessons: Sequence[Lesson], tokens: CodeTokens) -> Sequences:
    """Lessons as one tensor, padded on the right; targets are those of the edit alone."""
    texts = [
        (tokens.prompt(lesson.task), tokens.answer(lesson.edit, lesson.task.code))
        for lesson in lessons
    ]
    width = max(len(prompt) + len(answer) - 1 for prompt, answer in texts)
    tokens_NT = torch.full((len(texts), width), tokens.pad)
    targets_NT = torch.full((len(texts), width), IGNORE)
    for row, (prompt, answer) in enumerate(texts):
        text = torch.tensor(prompt + answer)
        tokens_NT[row, : len(text) - 1] = text[:-1]
        targets_NT[row, len(prompt) - 1 : len(text) - 1] = text[len(prompt) :]
    return Sequences(tokens_NT, targets_NT)


def by_length(batches: Iterator[Batch], batch_size: int, seed: int) -> Iterator[Batch]:
    """Large batches divided into small ones of similar length, in random order."""
    random = torch.Generator().manual_seed(seed)
    for tokens_NT, targets_NT in batches:
        length_N = (targets_NT != IGNORE).int().cumsum(1).argmax(1) + 1
        parts = length_N.argsort().split(batch_size)
        for part in torch.randperm(len(parts), generator=random).tolist():
            chosen_B = parts[part]
            width = int(length_N[chosen_B].max())
            yield tokens_NT[chosen_B, :width], targets_NT[chosen_B, :width]


def lesson_batches(
    lessons: Sequence[Lesson], tokens: CodeTokens, batch_size: int, seed: int
) -> Iterator[Batch]:
    """Endless batches of lessons on the best device, each no wider than its longest."""
    sequences = encoded(lessons, tokens).to(best_device())
    return by_length(epochs(sequences, SORTED * batch_size, seed), batch_size, seed)

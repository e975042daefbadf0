"""From items to tensors: padded sequences whose loss counts the answer alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from llmlab.finetune.tasks.skills import END, TOKENIZER, Item
from llmlab.finetune.tasks.texts import TokenizedText, Turn, encode_characters
from llmlab.gpt.model import IGNORE
from llmlab.gpt.training import Batch


@dataclass(frozen=True)
class Sequences:
    """N items as tensors.

    Attributes:
        tokens_NT: input ids, padded on the right.
        targets_NT: the next id where it belongs to the answer, `IGNORE` elsewhere.
    """

    tokens_NT: Tensor
    targets_NT: Tensor

    def to(self, device: torch.device) -> "Sequences":
        return Sequences(self.tokens_NT.to(device), self.targets_NT.to(device))


def encode(items: Sequence[Item], width: int | None = None) -> Sequences:
    """Items as one padded tensor of `width` tokens (default: the longest item's).

    Raises:
        ValueError: an item is longer than `width`.
    """
    texts = [encode_characters([Turn(item.prompt, item.answer)], END) for item in items]
    longest = max(len(text.targets) for text in texts)
    width = width or longest
    if longest > width:
        raise ValueError(
            f"an item needs {longest} tokens but the context holds {width}: shorten the item."
        )
    return padded(texts, width, TOKENIZER.PAD)


def padded(texts: Sequence[TokenizedText], width: int, pad: int) -> Sequences:
    """One text a row, padded on the right with `pad` to `width` tokens."""
    tokens_NT = torch.full((len(texts), width), pad)
    targets_NT = torch.full((len(texts), width), IGNORE)
    for row, text in enumerate(texts):
        length = len(text.ids) - 1
        tokens_NT[row, :length] = torch.tensor(text.ids[:-1])
        targets_NT[row, :length] = torch.tensor(text.targets)
    return Sequences(tokens_NT, targets_NT)


def epochs(sequences: Sequences, batch_size: int, seed: int) -> Iterator[Batch]:
    """Endless batches: every item once per epoch, in an order drawn from `seed`."""
    generator = torch.Generator().manual_seed(seed)
    n_items = len(sequences.tokens_NT)
    queue_N = torch.empty(0, dtype=torch.long)
    while True:
        while len(queue_N) < batch_size:
            queue_N = torch.cat([queue_N, torch.randperm(n_items, generator=generator)])
        chosen_B, queue_N = queue_N[:batch_size], queue_N[batch_size:]
        yield sequences.tokens_NT[chosen_B], sequences.targets_NT[chosen_B]


def mixture(parts: Sequence[tuple[Sequences, int]], seed: int) -> Iterator[Batch]:
    """Endless batches with a fixed number of items of every part; all parts have one width."""
    streams = [epochs(part, share, seed + index) for index, (part, share) in enumerate(parts)]
    while True:
        batches = [next(stream) for stream in streams]
        yield tuple(torch.cat(tensors) for tensors in zip(*batches, strict=True))

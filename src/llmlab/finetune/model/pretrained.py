"""A pretrained model that fine-tuning starts from, whatever its form."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from llmlab.finetune.model.codecs import TextCodec


@dataclass(frozen=True)
class Pretrained:
    """A base model: what fine-tuning starts from.

    Attributes:
        name: as the user gave it.
        model: token ids [B, T] in, logits [B, T, V] out.
        context: longest sequence, in tokens.
        identity: SHA-256 of its weights' files in hexadecimal; an adapter remembers it.
        write: writes a model in this format, with dense weights, into an empty folder that
            `open_pretrained` opens.
        folder: where its weights are.
        left_out: names of weights in its files that the model has no place for.
    """

    name: str
    model: nn.Module
    tokenizer: TextCodec
    context: int
    identity: str
    write: Callable[[nn.Module, Path], None]
    folder: Path
    left_out: tuple[str, ...] = ()

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device


def first_line(error: Exception) -> str:
    """The first line of what an error says, or its type."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def weights_digest(files: Sequence[Path]) -> str:
    """SHA-256 of a file; of several files, the SHA-256 of their digests."""
    digests = []
    for path in files:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()

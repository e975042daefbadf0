"""A pretrained model that fine-tuning starts from, whatever its form."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from llmlab.finetune.model.codecs import TextCodec


@dataclass(frozen=True)
class Base:
    """A model to fine-tune.

    Attributes:
        name: as it was asked for.
        model: token ids [B, T] in, logits [B, T, V] out.
        context: longest sequence, in tokens.
        identity: SHA-256 of the weights' files, in hexadecimal digits; an adapter remembers it.
        write: writes a model of this form, weights made whole, into an empty folder that
            `open_base` opens.
        folder: where the weights were found.
    """

    name: str
    model: nn.Module
    tokenizer: TextCodec
    context: int
    identity: str
    write: Callable[[nn.Module, Path], None]
    folder: Path


def first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def weights_digest(files: Sequence[Path]) -> str:
    """Of one file its own; of several that of theirs."""
    digests = []
    for path in files:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()

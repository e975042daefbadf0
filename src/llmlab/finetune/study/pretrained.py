"""Teach facts to a pretrained model of any form, and see how ordinary text fares."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from llmlab.finetune.model.catalog import open_pretrained
from llmlab.finetune.model.codecs import TextCodec
from llmlab.finetune.model.methods import Method
from llmlab.finetune.model.pretrained import Pretrained
from llmlab.finetune.model.untrained import save_untrained_llama
from llmlab.finetune.observe.ordinary_text import ordinary_text, text_rows
from llmlab.finetune.tasks.batches import Sequences, epochs, padded
from llmlab.finetune.tasks.skills import Item
from llmlab.finetune.tasks.texts import Turn
from llmlab.gpt.training import Evaluation, History, TrainConfig, best_device, evaluate, train

UNTRAINED = "untrained"
"""The name of a tiny model that stands in for a real one."""


@dataclass(frozen=True)
class Taught:
    """What came of teaching.

    Attributes:
        answers: on the facts that were taught.
        forgetting: loss on ordinary text after minus before, in nats per token.
    """

    history: History
    answers: Evaluation
    forgetting: float


@contextmanager
def opened(name: str) -> Iterator[Pretrained]:
    """The base model called `name`, or a new untrained one; errors as `open_pretrained`."""
    with TemporaryDirectory() as folder:
        if name == UNTRAINED:
            save_untrained_llama(Path(folder), ordinary_text())
            name = folder
        yield open_pretrained(name, device=best_device())


def teach(
    base: Pretrained,
    facts: Sequence[Item],
    method: Method,
    config: TrainConfig,
    *,
    batch_size: int,
    seed: int,
    text_NT: tuple[int, int],
) -> Taught:
    """Train the model of `base` itself on `facts`.

    Args:
        text_NT: rows of ordinary text, and tokens of each, on which forgetting is measured.
    """
    device = base.device
    rows = fact_rows(facts, base.tokenizer).to(device)
    old = text_rows(base.tokenizer, *text_NT).to(device)

    def loss_on_text(model: torch.nn.Module) -> float:
        return evaluate(model, old.tokens_NT, old.targets_NT, batch_size).loss

    before = loss_on_text(base.model)
    model = method.adapt(base.model, seed).to(device)
    history = train(model, epochs(rows, batch_size, seed), config)
    return Taught(
        history=history,
        answers=evaluate(model, rows.tokens_NT, rows.targets_NT, batch_size),
        forgetting=loss_on_text(model) - before,
    )


def fact_rows(facts: Sequence[Item], codec: TextCodec) -> Sequences:
    """Facts as rows of tokens; only their answers count in the loss."""
    texts = [codec.encode([Turn(fact.prompt, fact.answer)]) for fact in facts]
    return padded(texts, max(len(text.ids) for text in texts) - 1, codec.pad)

"""What decides a fine-tuning run: its settings, and its data in tokens."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from llmlab.finetune.command.examples import SkippedLine
from llmlab.finetune.model.methods import Method
from llmlab.finetune.tasks.batches import Sequences
from llmlab.gpt.training import TrainConfig


@dataclass(frozen=True)
class TokenizedDataset:
    """What a run is trained and tested on, in tokens.

    Attributes:
        name: as the user gave it.
        training: rows of tokens, one example each, or several if they are packed.
        test: one example a row; None if there are none.
        old: what the base model was trained on, to be replayed; None for no replay.
        prompt: the first test example's, to try the model with.
        n_examples: number of training examples.
        n_splitting: training examples whose answers begin inside a token.
        skipped: bad lines that were left out.
        unread: keys of the file that nothing is learned from, and how often each occurs.
        test_is_new: whether the test items differ from the training items.
    """

    name: str
    training: Sequences
    test: Sequences | None
    old: Sequences | None
    prompt: str
    n_examples: int
    n_splitting: int = 0
    skipped: tuple[SkippedLine, ...] = ()
    unread: Mapping[str, int] = field(default_factory=dict)
    test_is_new: bool = True

    @property
    def digest(self) -> str:
        """SHA-256 of all tokens and targets, in hexadecimal."""
        found = hashlib.sha256()
        for part in filter(None, (self.training, self.test, self.old)):
            for tensor in (part.tokens_NT, part.targets_NT):
                found.update(f"{tuple(tensor.shape)}".encode() + tensor.cpu().numpy().tobytes())
        return found.hexdigest()


@dataclass(frozen=True)
class FinetuneConfig:
    """The settings of a run.

    Attributes:
        batch_size: rows of a step.
        n_replayed: how many of these rows replay old examples.
        seed: fixes the adapter's first weights and the order of the data.
        suite_items: test items of each old skill that measure forgetting.
    """

    method: Method
    train: TrainConfig
    batch_size: int
    n_replayed: int
    seed: int
    suite_items: int

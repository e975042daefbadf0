"""What decides a fine-tuning run: its settings, and its data in tokens."""

import hashlib
from dataclasses import dataclass

from llmlab.finetune.command.examples import Skipped
from llmlab.finetune.model.methods import Method
from llmlab.finetune.tasks.batches import Sequences
from llmlab.gpt.training import TrainConfig


@dataclass(frozen=True)
class Material:
    """What a run learns from and is tested on, in tokens.

    Attributes:
        name: as it was asked for.
        training: rows of tokens; one example each, or several where they are packed.
        test: one example a row; None where none was kept apart.
        old: what the base learned before, replayed beside it; None for no replay.
        prompt: of a first test example, to try what was learned.
        n_examples: to learn from.
        skipped: bad lines that were left out.
        test_is_new: whether the test items are others than those to learn from.
    """

    name: str
    training: Sequences
    test: Sequences | None
    old: Sequences | None
    prompt: str
    n_examples: int
    skipped: tuple[Skipped, ...] = ()
    test_is_new: bool = True

    @property
    def digest(self) -> str:
        """SHA-256 of all tokens and of what counts among them, in hexadecimal digits."""
        found = hashlib.sha256()
        for part in filter(None, (self.training, self.test, self.old)):
            for tensor in (part.tokens_NT, part.targets_NT):
                found.update(f"{tuple(tensor.shape)}".encode() + tensor.cpu().numpy().tobytes())
        return found.hexdigest()


@dataclass(frozen=True)
class Recipe:
    """What decides a run, apart from base and data.

    Attributes:
        batch_size: rows of a step.
        n_replayed: how many of them are old ones.
        seed: fixes the start of an adapter and the order of the data.
        suite_items: test items of each of the base model's skills, to see what was forgotten.
    """

    method: Method
    train: TrainConfig
    batch_size: int
    n_replayed: int
    seed: int
    suite_items: int

"""Tokens on disk, and the batches drawn from them.

A corpus is encoded once into a file that is then mapped into memory, not read, so that neither
needs the corpus to fit. The batch of a step is a function of the seed and the step alone:
resumed or distributed training sees the very same batches.
"""

import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import count, islice
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from llmlab.gpt.text.corpora import CorpusText
from llmlab.gpt.text.text_tokenizers import TextTokenizer
from llmlab.gpt.training import Batch
from llmlab.method.errors import LabError
from llmlab.method.files import unwritable, write_file, write_with

LAYOUT = 1
"""Raise it with any change that gives other ids for the same corpus and tokenizer."""

Content = dict[str, str | int]
"""What distinguishes one token file from another."""

PIECES_AT_ONCE = 16
"""Pieces of text that are encoded side by side; a tokenizer needs 100 bytes a token for that."""


@dataclass(frozen=True, eq=False)
class TokenSpan:
    """A span of tokens.

    Attributes:
        name: for messages, such as "training part of stdlib".
        ids: [n_tokens] mapped from the disk.
        byte_lengths: [vocab_size] bytes of text behind each id.
    """

    name: str
    ids: np.ndarray
    byte_lengths: np.ndarray

    @property
    def n_tokens(self) -> int:
        return len(self.ids)

    @cached_property
    def n_bytes(self) -> int:
        """UTF-8 bytes of the text of this span, counted token by token."""
        blocks = (self.ids[start : start + 2**20] for start in range(0, self.n_tokens, 2**20))
        return sum(int(self.byte_lengths[block].sum()) for block in blocks)

    def bits_per_byte(self, loss: float) -> float:
        """A mean loss in nats per token of this span, as bits per byte of its text.

        Unlike nats per token it can be compared between tokenizers (2101.00027, section 3.1).
        """
        return loss / math.log(2) * self.n_tokens / self.n_bytes


@dataclass(frozen=True, eq=False)
class TokenFile:
    """A corpus's tokens on disk: `path` holds ids of `dtype`, as a JSON file beside it says."""

    name: str
    path: Path
    dtype: str
    byte_lengths: np.ndarray

    @cached_property
    def ids(self) -> np.ndarray:
        """[n_tokens] mapped from the disk."""
        return np.memmap(self.path, self.dtype, mode="r")

    def split(self, validation_share: float) -> tuple[TokenSpan, TokenSpan]:
        """The training part, and the tail of the corpus for validation.

        Raises:
            LabError: the share is not in [0, 1).
        """
        if not 0 <= validation_share < 1:
            raise LabError(
                f"a validation share of {validation_share:g} leaves nothing to train on: "
                "take one from 0 to below 1, such as 0.1."
            )
        n_training = len(self.ids) - round(validation_share * len(self.ids))
        return (
            TokenSpan(f"training part of {self.name}", self.ids[:n_training], self.byte_lengths),
            TokenSpan(f"validation part of {self.name}", self.ids[n_training:], self.byte_lengths),
        )


def prepare_tokens(corpus: CorpusText, tokenizer: TextTokenizer, cache_dir: Path) -> TokenFile:
    """The tokens of `corpus`, from `cache_dir` or encoded into it, documents in their order.

    `tokenizer.end_of_text` separates two documents. One process encodes; others that want the
    same tokens wait for it.

    Raises:
        LabError: `cache_dir` cannot be written to, or the disk is full.
    """
    dtype = "<u2" if tokenizer.vocab_size <= 2**16 else "<u4"
    content = {
        "layout": LAYOUT,
        "name": corpus.name,
        "corpus": corpus.digest,
        "tokenizer": tokenizer.digest,
        "dtype": dtype,
    }
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
    path = cache_dir / f"{key}.tokens"
    if not _is_whole(path, content):
        with locked(path):
            if not _is_whole(path, content):
                write_with(path, lambda aside: _encode(corpus, tokenizer, dtype, aside))
                write_file(path.with_suffix(".json"), json.dumps(_sized(content, path), indent=2))
    return TokenFile(corpus.name, path, dtype, tokenizer.byte_lengths)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes, while this one makes `path`, from doing the same; its folder is made.

    Raises:
        LabError: the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_suffix(".lock")).acquire()
    except OSError as error:
        raise unwritable(path, error) from error
    with lock:
        yield


@dataclass(frozen=True, eq=False)
class TokenBatches:
    """Batches of windows of a span, each window once in an epoch.

    An epoch cuts the span into windows of `context` tokens that do not overlap, from a start
    drawn anew, and takes them in an order drawn anew. A batch may hold the end of one epoch and
    the start of the next. Of `world` processes, each takes the rows `rank`, `rank` + `world`, …

    Raises:
        LabError: the span has fewer than `context` + 1 tokens, or `world` does not divide
            `batch_size`.
    """

    span: TokenSpan
    context: int
    batch_size: int
    seed: int
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if self.span.n_tokens <= self.context:
            raise LabError(
                f"the {self.span.name} has {self.span.n_tokens} tokens, too few for a context of "
                f"{self.context} (which needs {self.context + 1}): take a longer corpus, a "
                "shorter context or another validation share."
            )
        if self.batch_size % self.world:
            raise LabError(
                f"a batch of {self.batch_size} windows cannot be shared by {self.world} "
                "processes: take a batch size that is a multiple of their number."
            )

    @property
    def n_windows(self) -> int:
        """Windows of an epoch: as many as fit wherever the first one starts."""
        return max(1, (self.span.n_tokens - self.context) // self.context)

    @property
    def steps_per_epoch(self) -> int:
        """Steps after which every window of an epoch has been seen."""
        return self.steps(epochs=1)

    def steps(self, epochs: float) -> int:
        """Steps that see so many epochs, the last batch filled up."""
        return math.ceil(epochs * self.n_windows / self.batch_size)

    def shard(self, rank: int, world: int) -> "TokenBatches":
        """The rows of each batch that process `rank` of `world` takes."""
        return replace(self, rank=rank, world=world)

    def at(self, step: int) -> Batch:
        """Tokens and their successors of `step` = 0, 1, …: [batch_size / world, context] int64."""
        rows_B = step * self.batch_size + np.arange(self.rank, self.batch_size, self.world)
        epochs_B, places_B = np.divmod(rows_B, self.n_windows)
        starts_B = np.concatenate(
            [
                self._starts(epoch)[places_B[epochs_B == epoch]]
                for epoch in range(epochs_B[0], epochs_B[-1] + 1)
            ]
        )
        ids_BT = np.asarray(self.span.ids)[starts_B[:, None] + np.arange(self.context + 1)]
        tokens_BT = torch.from_numpy(ids_BT.astype(np.int64))
        return tokens_BT[:, :-1].contiguous(), tokens_BT[:, 1:].contiguous()

    def stream(self, start: int, device: torch.device) -> Iterator[Batch]:
        """The batches of steps `start`, `start` + 1, … without end, on `device`."""
        for step in count(start):
            inputs_BT, targets_BT = self.at(step)
            yield _moved(inputs_BT, device), _moved(targets_BT, device)

    def _starts(self, epoch: int) -> np.ndarray:
        room = self.span.n_tokens - 1 - self.n_windows * self.context
        return _window_starts(
            self.n_windows, self.context, min(room, self.context - 1), self.seed, epoch
        )


@lru_cache(maxsize=64)  # the present epoch of each run, and the next
def _window_starts(
    n_windows: int, context: int, largest_shift: int, seed: int, epoch: int
) -> np.ndarray:
    """[n_windows] where the windows of an epoch start, in their order."""
    random = np.random.default_rng([seed, epoch])
    shift = random.integers(largest_shift + 1)
    return shift + context * random.permutation(n_windows)


def _moved(tokens_BT: Tensor, device: torch.device) -> Tensor:
    """On `device`; a GPU copies while the program goes on, which needs pinned memory."""
    if device.type == "cuda":
        tokens_BT = tokens_BT.pin_memory()
    return tokens_BT.to(device, non_blocking=True)


def _is_whole(path: Path, content: Content) -> bool:
    """Whether `path` and the JSON beside it hold this content completely."""
    try:
        return json.loads(path.with_suffix(".json").read_text()) == _sized(content, path)
    except (OSError, ValueError):
        return False


def _sized(content: Content, path: Path) -> Content:
    return content | {"file_bytes": path.stat().st_size}


def _encode(corpus: CorpusText, tokenizer: TextTokenizer, dtype: str, path: Path) -> None:
    """Write the ids of `corpus` to `path`, some pieces at a time."""
    pieces = _pieces(corpus)
    with path.open("wb") as file:
        while batch := list(islice(pieces, PIECES_AT_ONCE)):
            encoded = tokenizer.encode_many([text for _, text in batch])
            for (follows_document, _), ids in zip(batch, encoded, strict=True):
                ends = [tokenizer.end_of_text] if follows_document else []
                np.array(ends + ids, dtype).tofile(file)


def _pieces(corpus: CorpusText) -> Iterator[tuple[bool, str]]:
    """Pieces of text, each with whether it starts a new document after another one."""
    for number, document in enumerate(corpus.documents):
        follows_document = number > 0
        for text in document.pieces():
            yield follows_document, text
            follows_document = False

"""Runs of a tiny GPT on a tiny text, in a folder of their own."""

import json
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from llmlab.gpt.command.session import PretrainingSession
from llmlab.gpt.model import GPT, GPTConfig
from llmlab.gpt.pretraining import PretrainingRecipe
from llmlab.gpt.text.encoded_corpus import byte_pairs, named_corpus, prepare
from llmlab.gpt.text.text_tokenizers import TextTokenizer, characters
from llmlab.gpt.training import TrainConfig
from llmlab.method.environment import CACHE_DIR

TEXT = "".join(f"def f{n % 7}(x):\n    return x + {n * n % 11}\n\n" for n in range(120))


@pytest.fixture
def text_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A short program to train on; tokens are kept beside it."""
    monkeypatch.setenv(CACHE_DIR, str(tmp_path / "cache"))
    path = tmp_path / "program.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def session(text_file: Path, tmp_path: Path) -> PretrainingSession:
    """Twelve steps with dropout, validated every four."""
    encoded = prepare(named_corpus(str(text_file)), byte_pairs(300))
    recipe = PretrainingRecipe(
        shape=GPTConfig(encoded.tokenizer.vocab_size, 8, 16, 2, 2, dropout=0.1),
        train=TrainConfig(1e-2, steps=12, weight_decay=0.1),
        batch_size=4,
        seed=0,
        validate_every=4,
        validation_tokens=64,
    )
    return PretrainingSession(tmp_path / "run", recipe, encoded)


@pytest.fixture
def curves() -> Callable[[Path], dict[str, list[tuple[int, float]]]]:
    """Reads the (step, loss) of all points and validations from the log of a run."""

    def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
        events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        return {
            kind: [(event["step"], event["loss"]) for event in events if event["event"] == kind]
            for kind in ("point", "validation")
        }

    return read


@pytest.fixture
def changed(session: PretrainingSession) -> Callable[..., PretrainingSession]:
    """The session in another folder, with other fields of its `TrainConfig`."""

    def change(folder: str, **fields: object) -> PretrainingSession:
        train = replace(session.recipe.train, **fields)
        recipe = replace(session.recipe, train=train)
        return replace(session, folder=session.folder.with_name(folder), recipe=recipe)

    return change


@pytest.fixture
def largest_file() -> Callable[[int], AbstractContextManager]:
    """Within its context no file may grow longer, as on a disk that is full."""

    @contextmanager
    def limit(n_bytes: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    """A few characters; all others are spelled in bytes."""
    return characters(["the cat sat, "])


@pytest.fixture
def model(tokenizer: TextTokenizer) -> GPT:
    """A GPT for this tokenizer, with weights large enough to tell its heads apart."""
    torch.manual_seed(0)
    config = GPTConfig(tokenizer.vocab_size, 32, 24, 3, 4, dropout=0.1)
    model = GPT(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return model


@pytest.fixture(name="tokens_BT")
def some_tokens(model: GPT) -> Tensor:
    random = torch.Generator().manual_seed(1)
    return torch.randint(model.config.vocab_size, (2, 9), generator=random)

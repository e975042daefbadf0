"""The command as a shell calls it, and a coder for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from llmlab.gpt.model import GPTConfig
from llmlab.sleep.coder.coder import new_coder, save_coder
from llmlab.sleep.coder.tokens import SPECIAL, CodeTokens
from llmlab.sleep.command.app import app


@pytest.fixture
def sleep() -> Callable[..., None]:
    """`llmlab sleep` with these arguments."""

    def call(*arguments: object) -> None:
        app([*map(str, arguments)], standalone_mode=False)

    return call


@pytest.fixture
def coder(tmp_path: Path) -> Path:
    """The folder of one that knows Python, if hardly a word of it."""
    tokens = CodeTokens(SPECIAL)
    folder = tmp_path / "coder"
    save_coder(new_coder("python", tokens, GPTConfig(len(tokens.names), 64, 16, 1, 2), 0), folder)
    return folder

"""`llmlab` called as a command, in the process of the tests."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from llmlab.cli import main


@dataclass(frozen=True)
class Result:
    """What a command did: its exit status, and what it said."""

    code: int
    out: str
    err: str


LlmLab = Callable[..., Result]


def exit_status(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run `llmlab` with these arguments to its end."""
    monkeypatch.setattr(sys, "argv", ["llmlab", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0

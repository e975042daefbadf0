"""The options of every public command are a promise: a change here is a change for users."""

import json
from collections.abc import Iterator
from pathlib import Path

import typer

from llmlab.book.commands import app as book
from llmlab.cli import app

PROMISED = Path(__file__).with_name("command_options.json")


def commands(group: object, path: str) -> Iterator[tuple[str, list[str]]]:
    """Every command below `group`, and what it takes, in the order of its --help."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            names = [name for one in command.params for name in [*one.opts, *one.secondary_opts]]
            yield f"{path} {name}", names


def test_every_command_takes_the_options_that_it_is_promised_to_take() -> None:
    found = dict(commands(typer.main.get_command(app), "llmlab"))
    found |= commands(typer.main.get_command(book), "llmlab book")
    assert found == json.loads(PROMISED.read_text(encoding="utf-8"))

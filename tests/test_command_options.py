"""The options of every public command are a promise: a change here is a change for users."""

import json
from collections.abc import Iterator
from pathlib import Path

import typer

from llmlab.book.commands import app as book
from llmlab.cli import app
from llmlab.cluster.predict_command import app as predict
from llmlab.cluster.simulate_command import app as simulate
from llmlab.market.commands import app as market
from llmlab.market.commands import fit_app as fit
from llmlab.sleep.command.app import app as sleep

PROMISED = Path(__file__).with_name("command_options.json")


def commands(group: object, path: str) -> Iterator[tuple[str, list[str]]]:
    """Every command below `group`, and what it takes, in the order of its --help."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", options(command)


def options(command: object) -> list[str]:
    """What one command takes, in the order of its --help."""
    return [name for one in command.params for name in [*one.opts, *one.secondary_opts]]


def every_command() -> dict[str, list[str]]:
    """All public commands with what they take."""
    found = dict(commands(typer.main.get_command(app), "llmlab"))
    for name, group in {"book": book, "market": market, "sleep": sleep}.items():
        found |= commands(typer.main.get_command(group), f"llmlab {name}")
    for name, alone in {"fit": fit, "predict": predict, "simulate": simulate}.items():
        found[f"llmlab {name}"] = options(typer.main.get_command(alone))
    return found


def test_every_command_takes_the_options_that_it_is_promised_to_take() -> None:
    assert every_command() == json.loads(PROMISED.read_text(encoding="utf-8"))

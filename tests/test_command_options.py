"""The options of every public command are a promise: a change here is a change for users.

After a change that is meant, `python tests/test_command_options.py` promises the present options.
"""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from llmlab.cli import app
from llmlab.cli.rooms import book_commands
from llmlab.cluster.predict_command import app as predict
from llmlab.cluster.simulate_command import app as simulate
from llmlab.market.commands import app as market
from llmlab.market.fit_command import app as fit
from llmlab.sleep.command.app import app as sleep
from llmlab.watch.command import app as watch

PROMISED = Path(__file__).with_name("command_options.json")
README_TEXT = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def commands(group: object, path: str) -> Iterator[tuple[str, object]]:
    """Every command below `group`, by its words."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def options(command: object) -> list[str]:
    """What one command takes, in the order of its --help."""
    return [name for one in command.params for name in [*one.opts, *one.secondary_opts]]


def every_command() -> dict[str, object]:
    """All public commands."""
    found = dict(commands(typer.main.get_command(app), "llmlab"))
    for name, group in {"book": book_commands(), "market": market, "sleep": sleep}.items():
        found |= commands(typer.main.get_command(group), f"llmlab {name}")
    alone = {"fit": fit, "predict": predict, "simulate": simulate, "watch": watch}
    for name, command in alone.items():
        found[f"llmlab {name}"] = typer.main.get_command(command)
    return found


def every_option() -> dict[str, list[str]]:
    """All public commands with what they take."""
    return {name: options(command) for name, command in every_command().items()}


def test_the_readme_names_every_verb() -> None:
    (row,) = re.findall(r"llmlab --help` \|(.*)", README_TEXT)
    named = re.findall(r"`(\w+)`", row)
    assert sorted(named) == sorted(typer.main.get_command(app).commands)


def required_options(group: object, words: list[str]) -> list[list[str]]:
    """The spellings of each option that the command at these words cannot do without."""
    command = group
    while hasattr(command, "commands") and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    return [one.opts for one in command.params if one.required and one.opts[0].startswith("-")]


@pytest.mark.parametrize(
    "line", re.findall(r"^    \.venv/bin/llmlab (.*)", README_TEXT, re.MULTILINE)
)
def test_a_command_of_the_readme_has_every_option_that_it_needs(line: str) -> None:
    words = shlex.split(line)
    for spellings in required_options(typer.main.get_command(app), words):
        assert {*spellings} & {*words}, f"{line} lacks {spellings[0]}"


def test_every_command_takes_the_options_that_it_is_promised_to_take() -> None:
    found, promised = every_option(), json.loads(PROMISED.read_text(encoding="utf-8"))
    names = found.keys() | promised.keys()
    changed = sorted(name for name in names if found.get(name) != promised.get(name))
    assert not changed, (
        f"other options than promised: {', '.join(changed)}; if that is meant, run `python "
        "tests/test_command_options.py` and tell users in CHANGELOG.md"
    )


COMMANDS = every_command()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_usage_has_no_brackets_within_brackets(name: str) -> None:
    command = COMMANDS[name]
    usage = command.get_usage(command.make_context(name, ["--help"], resilient_parsing=True))
    assert not re.search(r"\[\[|\{\{|\.\.\.[\]}]", usage), usage


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_and_option_has_a_help_that_is_a_sentence(name: str) -> None:
    helps = {one.name: getattr(one, "help", "") or "" for one in COMMANDS[name].params}
    assert not [key for key, text in helps.items() if not re.fullmatch(r"[a-zA-Z0-9].*\.", text)]


if __name__ == "__main__":
    PROMISED.write_text(json.dumps(every_option(), indent=2) + "\n", encoding="utf-8")

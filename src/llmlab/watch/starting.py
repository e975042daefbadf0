"""Starting a run from the page: a command shown before, as a list of words, without a shell.

Only verbs of this product can be started, on paths below the folder in which the server runs. What
is started continues when the server ends; it is a run like any other.
"""

import os
import re
import secrets
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from llmlab.method.errors import LabError

VERBS = ("train", "finetune", "run", "simulate")
"""Verbs that make a run to watch."""

PREFIX = (sys.executable, "-m", "llmlab")
MOST_RUNNING = 4
MOST_KEPT = 20
"""Most commands that run at once, and that the page lists."""
MOST_OUTPUT = 4000
"""Bytes that are kept of the end of a command's output."""


def command_of(verb: str, arguments: str) -> tuple[str, ...]:
    """The command that a verb and its arguments, quoted as for a shell, stand for.

    Raises:
        LabError: it is another verb, a path leads outside, or a quote is left open.
    """
    if verb not in VERBS:
        raise LabError(f"{verb[:40]!r} starts no run: choose {', '.join(VERBS)}.")
    try:
        words = shlex.split(arguments)
    except ValueError as error:
        raise LabError(f"the options cannot be read ({error}): close the quote.") from None
    for word in words:
        if not word.isprintable():
            raise LabError("the options hold a character that cannot be printed: remove it.")
        if any(map(_leads_outside, re.split("[=:,]", word))):
            raise LabError(
                f"{word!r} leads outside the folder of this server: name a path below it, or start "
                "the run in a terminal."
            )
    return (*PREFIX, verb, *words)


def require_shown(command: Sequence[str]) -> tuple[str, ...]:
    """The same command, if it is one that `command_of` gives; LabError otherwise."""
    n = len(PREFIX)
    if tuple(command[:n]) != PREFIX or len(command) <= n:
        raise LabError("only a command that this server showed before can be started.")
    return command_of(command[n], shlex.join(command[n + 1 :]))


@dataclass(frozen=True)
class Started:
    """A process that was started from the page."""

    id: str
    command: tuple[str, ...]
    process: subprocess.Popen
    printed: IO[bytes]

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self.process.poll()

    @property
    def output(self) -> str:
        """The end of its output."""
        size = os.fstat(self.printed.fileno()).st_size
        start = max(0, size - MOST_OUTPUT)
        return os.pread(self.printed.fileno(), MOST_OUTPUT, start).decode(errors="replace")


class Starter:
    """Starts commands in the folder of the server, and remembers the latest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Started] = []

    @property
    def started(self) -> tuple[Started, ...]:
        """The latest first."""
        return tuple(reversed(self._started))

    def start(self, command: tuple[str, ...]) -> Started:
        """Start a command as it stands.

        Raises:
            LabError: too many are running, or it cannot be started.
        """
        if sum(one.code is None for one in self._started) >= MOST_RUNNING:
            raise LabError(
                f"{MOST_RUNNING} commands are running already: wait until one has ended."
            )
        printed = tempfile.TemporaryFile()  # noqa: SIM115, closed when it is forgotten
        try:
            process = subprocess.Popen(
                command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # it outlives the server, and Ctrl-C there
            )
        except OSError as error:
            raise LabError(f"{command[0]} cannot be started: {error.strerror}.") from error
        self._started.append(Started(secrets.token_hex(8), command, process, printed))
        self._forget()
        return self._started[-1]

    def _forget(self) -> None:
        """Forget the oldest finished commands beyond `MOST_KEPT`."""
        ended = [one for one in self._started if one.code is not None]
        for one in ended[: max(0, len(self._started) - MOST_KEPT)]:
            one.printed.close()
            self._started.remove(one)


def _leads_outside(part: str) -> bool:
    return part.startswith(("/", "\\", "~")) or ".." in re.split(r"[/\\]", part)

"""The interface of every level of isolation, and the lowest, which isolates nothing."""

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from llmlab.sleep.sandbox.process import Limits, Ran, Stopped, run_limited, set_limits

PATH = "/usr/local/bin:/usr/bin:/bin"
SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/etc/alternatives", "/etc/ld.so.cache")
"""What every command may read; the linker is found through /etc/alternatives."""
FIRST_USER, USERS = 61_000, 4_000
"""User ids that no system assigns; each command gets one, with its own process count."""
_numbers = itertools.count(os.getpid())


class Sandbox(Protocol):
    """Runs untrusted commands.

    Attributes:
        level: its name, which each episode records.
        isolates: whether code that nobody has read may run in it.
    """

    level: str
    isolates: bool

    def missing(self) -> str:
        """Why it cannot work on this machine; empty if nothing is known to prevent it."""

    def run(
        self,
        command: Sequence[str],
        folder: Path,
        limits: Limits,
        readable: Sequence[Path] = (),
    ) -> Ran:
        """Run `command` in `folder`, the one place that it may write to.

        Args:
            readable: what it needs to read besides the system's own files.
        """


@dataclass(frozen=True)
class Unguarded:
    """Limits of time, memory, output and file size, an emptied environment, and no wall at all.

    For code that stands in this repository or comes from its grammar.
    """

    level: str = "none"
    isolates: bool = False

    def missing(self) -> str:
        return ""

    def run(
        self,
        command: Sequence[str],
        folder: Path,
        limits: Limits,
        readable: Sequence[Path] = (),
    ) -> Ran:
        return run_limited(
            command, folder, environment(folder), limits, prepare=lambda: set_limits(limits)
        )


def environment(folder: Path) -> dict[str, str]:
    """The whole environment of a command: where programs are, and its own folder."""
    return {"PATH": PATH, "HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8"}


def fresh_user(folder: Path) -> int | None:
    """As root, an unused user id, which now owns the folder; None if we are unprivileged already.

    The kernel counts processes by user, and root's not at all: a limit needs a user of its own.
    """
    if os.geteuid() != 0:
        return None
    user = FIRST_USER + next(_numbers) % USERS
    os.chown(folder, user, user)
    return user


def too_big(folder: Path, limits: Limits) -> Stopped | None:
    """Whether the files in the folder together exceed their limit."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(Path(root, name)).st_blocks * 512
            except OSError:  # removed since
                continue
    return "disk" if total > 2 * limits.file_bytes else None

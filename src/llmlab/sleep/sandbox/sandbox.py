"""What every level of isolation offers, and the lowest, which isolates nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from llmlab.sleep.sandbox.process import Limits, Ran, run_limited, set_limits

PATH = "/usr/local/bin:/usr/bin:/bin"


class Sandbox(Protocol):
    """Runs commands that may do their worst.

    Attributes:
        level: its name, which each episode records.
        isolates: whether code that nobody has read may run in it.
    """

    level: str
    isolates: bool

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
    """Limits of time, memory, processes and output, an emptied environment, and no wall at all.

    For code that stands in this repository or comes from its grammar.
    """

    level: str = "none"
    isolates: bool = False

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
    """All that a command learns of the machine: where programs are, and its own folder."""
    return {"PATH": PATH, "HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8"}

"""Landlock and seccomp: walls that need neither root nor namespaces, so that containers have them.

The command may write beneath its own folder, read the system's programs, and reach no network and
no process but its own. Version 6 of Landlock (Linux 6.12) is the first to refuse signals; without
that a program could kill the one that judges it.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from llmlab.sleep.sandbox import guard
from llmlab.sleep.sandbox.process import Limits, Ran, run_limited
from llmlab.sleep.sandbox.sandbox import SYSTEM, environment, fresh_user, too_big

VERSION = 6
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
GRACE = 2.0
"""Seconds that the guard has to end what the command left."""


@dataclass(frozen=True)
class Landlock:
    """Runs each command behind the kernel's own rules."""

    level: str = "landlock"
    isolates: bool = True

    def missing(self) -> str:
        """Why it cannot work here; empty if it can."""
        if os.uname().machine not in guard.ARCHITECTURES:
            return f"the calls of {os.uname().machine} are not known"
        if (version := guard.landlock_version()) < VERSION:
            return f"the kernel's Landlock has version {max(version, 0)}, not {VERSION}"
        return ""

    def run(
        self,
        command: Sequence[str],
        folder: Path,
        limits: Limits,
        readable: Sequence[Path] = (),
    ) -> Ran:
        order = {
            "command": list(command),
            "folder": str(folder),
            "readable": [*SYSTEM, *map(str, readable)],
            "devices": DEVICES,
            "environment": environment(folder),
            "limits": asdict(limits),
            "user": fresh_user(folder),
        }
        return run_limited(
            [sys.executable, "-I", "-S", guard.__file__, json.dumps(order)],
            folder,
            environment(folder),
            limits,
            watch=lambda: too_big(folder, limits),
            grace=GRACE,
        )

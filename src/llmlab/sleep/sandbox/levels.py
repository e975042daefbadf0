"""Which isolation this machine has: tried, not guessed."""

import shutil
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from llmlab.method.errors import LabError
from llmlab.sleep.sandbox.bubblewrap import Bubblewrap
from llmlab.sleep.sandbox.process import Limits
from llmlab.sleep.sandbox.sandbox import Sandbox, Unguarded
from llmlab.sleep.sandbox.scratch import scratch

TOOLS = ("bwrap", "prlimit", "setpriv")


@dataclass(frozen=True)
class Probe:
    """What was found: the level, or why there is none."""

    level: str
    reason: str = ""


@cache
def probe() -> Probe:
    """Start a command behind the walls and see whether it comes up."""
    if sys.platform != "linux":
        return Probe("none", "bubblewrap needs Linux")
    if missing := [name for name in TOOLS if not shutil.which(name)]:
        return Probe("none", f"{missing[0]} is not installed")
    with scratch() as folder:
        ran = Bubblewrap().run(["true"], Path(folder), Limits(seconds=10))
    if ran.code != 0:
        said = ran.stderr.strip().splitlines()
        return Probe("none", f"bwrap does not start ({said[-1] if said else ran.code})")
    return Probe(Bubblewrap().level)


def open_sandbox(allow_unsandboxed: bool = False) -> Sandbox:
    """The sandbox for code that nobody has read.

    Raises:
        LabError: this machine has none, and running without one was not allowed.
    """
    found = probe()
    if found.level == Bubblewrap().level:
        return Bubblewrap()
    if allow_unsandboxed:
        return Unguarded()
    raise LabError(
        f"code that a model writes needs a sandbox, and there is none here ({found.reason}): "
        "install bubblewrap (apt install bubblewrap), or run it without walls, at your own risk, "
        "with --allow-unsandboxed."
    )

"""Which isolation this machine has: tested, not guessed."""

import resource
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from llmlab.method.errors import LabError
from llmlab.sleep.sandbox.bubblewrap import Bubblewrap
from llmlab.sleep.sandbox.container import Container
from llmlab.sleep.sandbox.landlock import Landlock
from llmlab.sleep.sandbox.process import Limits
from llmlab.sleep.sandbox.sandbox import Sandbox, Unguarded
from llmlab.sleep.sandbox.scratch import scratch

LEVELS: tuple[Sandbox, ...] = (Bubblewrap(), Landlock())
"""The strongest first; a container, which starts slowly, is the last resort (`strongest`)."""

MOST = (
    ("-v", resource.RLIMIT_AS, 4 * 2**30),
    ("-t", resource.RLIMIT_CPU, 61),
    ("-f", resource.RLIMIT_FSIZE, Limits.file_bytes),
    ("-n", resource.RLIMIT_NOFILE, Limits.open_files),
)
"""The highest limits that a judge sets: bytes of memory, seconds, bytes of a file, open files."""


@dataclass(frozen=True)
class Probe:
    """What was found: the strongest level that works, and why those above it do not."""

    sandbox: Sandbox
    reasons: tuple[str, ...] = ()


@cache
def probe() -> Probe:
    """Start a command at each level, from the strongest down, until one starts."""
    if sys.platform != "linux":
        return Probe(Unguarded(), ("both levels need Linux",))
    reasons: list[str] = []
    for sandbox in LEVELS:
        if not (reason := sandbox.missing() or failure(sandbox)):
            return Probe(sandbox, tuple(reasons))
        reasons.append(f"{sandbox.level}: {reason}")
    return Probe(Unguarded(), tuple(reasons))


def failure(sandbox: Sandbox) -> str:
    """Why a command does not start in a sandbox; empty if it does."""
    with scratch() as folder:
        ran = sandbox.run(["/bin/true"], Path(folder), Limits(seconds=10))
    if ran.code == 0:
        return ""
    said = ran.stderr.strip().splitlines()
    return f"it does not start ({said[-1] if said else ran.code})"


def strongest() -> Probe:
    """As `probe`, with a container if neither of its levels works; errors as `require_limits`."""
    require_limits()
    own = probe()
    if own.sandbox.isolates:
        return own
    container = Container()
    if reason := container.missing() or failure(container):
        return replace(own, reasons=(*own.reasons, f"container: {reason}"))
    return replace(own, sandbox=container)


def require_limits() -> None:
    """Check that this process may set the limits of every program.

    Raises:
        LabError: it may not, since those of its shell are lower.
    """
    for option, kind, value in MOST:
        soft, hard = resource.getrlimit(kind)
        if hard == resource.RLIM_INFINITY or hard >= value:
            continue
        try:
            resource.setrlimit(kind, (soft, value))  # root may
            resource.setrlimit(kind, (soft, hard))
        except (ValueError, OSError):
            raise LabError(
                f"programs are run with limits of their own, and this shell's `ulimit {option}` "
                f"is lower ({hard:,} where {value:,} is needed): use a shell without that limit."
            ) from None


def open_sandbox(allow_unsandboxed: bool = False) -> Sandbox:
    """The sandbox for code that nobody has read.

    Raises:
        LabError: this machine has none, and running without one was not allowed.
    """
    best = strongest()
    if best.sandbox.isolates or allow_unsandboxed:
        return best.sandbox
    raise LabError(
        "code that a model writes needs a sandbox, and there is none here "
        f"({'; '.join(best.reasons)}): install bubblewrap (apt install bubblewrap), or run it "
        "without walls, at your own risk, with --allow-unsandboxed."
    )

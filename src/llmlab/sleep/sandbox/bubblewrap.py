"""Bubblewrap: separate namespaces for each command, and a user that owns nothing.

The command sees the system's programs, read-only, its own folder as /work, and nothing else: no
network, no home, no processes but its own. It writes to its folder and to /tmp alone: the root and
/dev that bubblewrap makes are memory without a limit, so both are read-only. Root starts it without
a user namespace and gives up its rights inside, since the kernel counts processes by real user:
under root's own user namespace a limit of processes holds nothing.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmlab.sleep.sandbox.process import Limits, Ran, run_limited
from llmlab.sleep.sandbox.sandbox import PATH, SYSTEM, fresh_user, too_big

INSIDE = Path("/work")
TOOLS = Path("/tools")
"""Where compilers are inside, so that their path reveals no home folder."""

PROGRAMS = ("bwrap", "prlimit", "setpriv")


@dataclass(frozen=True)
class Bubblewrap:
    """Runs each command behind the walls of `bwrap`."""

    level: str = "bubblewrap"
    isolates: bool = True

    def missing(self) -> str:
        absent = [name for name in PROGRAMS if not shutil.which(name)]
        return f"{absent[0]} is not installed" if absent else ""

    def run(
        self,
        command: Sequence[str],
        folder: Path,
        limits: Limits,
        readable: Sequence[Path] = (),
    ) -> Ran:
        places = {path: TOOLS / str(number) for number, path in enumerate(readable)}
        walls = _walls(folder, limits, places)
        program = moved(command[0], places)
        shown = [*libraries(program, places), program, *command[1:]]
        inside = [*walls, "--", *_as_nobody(folder), *_limited(limits), *shown]
        return run_limited(
            inside, folder, {"PATH": PATH}, limits, watch=lambda: too_big(folder, limits)
        )


def moved(program: str, places: Mapping[Path, Path]) -> str:
    """The path of a program inside."""
    for path, place in places.items():
        if Path(program).is_relative_to(path):
            return str(place / Path(program).relative_to(path))
    return program


def libraries(program: str, places: Mapping[Path, Path]) -> list[str]:
    """The variable by which a moved program finds libraries that it knows by their old path."""
    if not any(Path(program).is_relative_to(place) for place in places.values()):
        return []
    return [f"LD_LIBRARY_PATH={Path(program).parent.parent / 'lib'}"]


def _walls(folder: Path, limits: Limits, places: Mapping[Path, Path]) -> list[str]:
    shown = {**{Path(path): Path(path) for path in SYSTEM}, **places}
    above = dict.fromkeys(
        parent for place in shown.values() for parent in reversed(place.parents[:-1])
    )
    open_to_all = [option for path in above for option in ("--perms", "0755", "--dir", path)]
    bound = [option for pair in shown.items() for option in ("--ro-bind-try", *pair)]
    return [
        shutil.which("bwrap") or "bwrap",
        *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
        *("--unshare-cgroup-try", "--die-with-parent", "--new-session", "--cap-drop", "ALL"),
        *map(str, [*open_to_all, *bound]),
        *("--proc", "/proc", "--dev", "/dev"),
        *("--size", str(limits.file_bytes), "--tmpfs", "/tmp"),
        *("--bind", str(folder), str(INSIDE), "--chdir", "/", "--clearenv"),
        *("--setenv", "PATH", PATH, "--setenv", "HOME", str(INSIDE)),
        *("--setenv", "LANG", "C.UTF-8"),
        *(_may_change_user() if os.geteuid() == 0 else ("--unshare-user",)),
        *("--remount-ro", "/", "--remount-ro", "/dev"),
    ]


def _may_change_user() -> list[str]:
    kept = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")
    return [option for name in kept for option in ("--cap-add", name)]


def _as_nobody(folder: Path) -> list[str]:
    """As root, become an unused user who owns the folder; otherwise we are unprivileged already."""
    user = fresh_user(folder)
    if user is None:
        return []
    return [
        *("setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups"),
        *("--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"),
    ]


def _limited(limits: Limits) -> list[str]:
    return [
        "prlimit",
        f"--cpu={limits.cpu_seconds}:{limits.cpu_seconds + 1}",
        f"--as={limits.memory_bytes}",
        f"--nproc={limits.processes}",
        f"--fsize={limits.file_bytes}",
        f"--nofile={limits.open_files}",
        "--core=0",
        *("env", "-C", str(INSIDE)),  # only its new owner may enter it
    ]

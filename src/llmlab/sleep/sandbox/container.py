"""A container of podman or rootless docker, where neither bubblewrap nor Landlock works.

The image is empty: as with bubblewrap, the command sees the system's own programs, read-only, its
folder as /work, and nothing else. This needs neither a download nor root.

Options: podman-run(1), docker-run(1).
"""

import os
import shutil
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

from llmlab.sleep.sandbox.bubblewrap import INSIDE, TOOLS, libraries, moved
from llmlab.sleep.sandbox.process import Limits, Ran, run_limited
from llmlab.sleep.sandbox.sandbox import PATH, SYSTEM, fresh_user, too_big

RUNTIMES = ("podman", "docker")
IMAGE = "localhost/llmlab-empty"
PASSED_ON = ("PATH", "HOME", "USER", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DOCKER_HOST")
"""Variables that the runtime itself needs; none of them goes inside."""
PATIENCE = 60.0
"""Seconds that the runtime has to answer, except while it runs a program."""


@dataclass(frozen=True)
class Container:
    """Runs each command in a container of its own."""

    level: str = "container"
    isolates: bool = True

    def missing(self) -> str:
        if sys.platform != "linux":
            return "it runs programs of this system, which is not Linux"
        if not (runtime := _runtime()):
            return f"neither {' nor '.join(RUNTIMES)} is installed"
        return _unfit(runtime)

    def run(
        self,
        command: Sequence[str],
        folder: Path,
        limits: Limits,
        readable: Sequence[Path] = (),
    ) -> Ran:
        name = f"llmlab-{uuid.uuid4().hex}"
        places = {path: TOOLS / str(number) for number, path in enumerate(readable)}
        runtime = _runtime()
        program = moved(command[0], places)
        found = [f"--env={variable}" for variable in libraries(program, places)]
        walls = [*_walls(runtime, folder, limits), *_mounts(folder, places), *found]
        order = [runtime, "run", f"--name={name}", *walls, IMAGE, program, *command[1:]]
        try:
            ran = run_limited(
                order, folder, _environment(), limits, watch=lambda: too_big(folder, limits)
            )
        except BaseException:
            _remove(runtime, name)
            raise
        if ran.stopped:  # the runtime's client is gone, the container is not
            _remove(runtime, name)
        return ran


def _runtime() -> str:
    """The first runtime on the path; empty if there is none."""
    return next(filter(None, map(shutil.which, RUNTIMES)), "")


@cache
def _unfit(runtime: str) -> str:
    """Why a runtime cannot be used; empty if it can. Makes its empty image, once."""
    name = Path(runtime).name
    kinds = ("info", "--format", "{{.SecurityOptions}}")
    if name == "docker" and "rootless" not in _ask(runtime, *kinds).stdout:
        return "docker's daemon does not answer, or runs as root"
    if _ask(runtime, "image", "inspect", IMAGE).returncode == 0:
        return ""
    made = _ask(runtime, "import", "-", IMAGE, given=_empty_archive())
    if made.returncode == 0:
        return ""
    said = made.stderr.strip().splitlines()
    return f"{name} makes no image ({said[-1] if said else made.returncode})"


def _walls(runtime: str, folder: Path, limits: Limits) -> list[str]:
    """No network, no rights, limits, and nothing to write to but memory and the folder."""
    ulimits = {
        "cpu": f"{limits.cpu_seconds}:{limits.cpu_seconds + 1}",
        "fsize": limits.file_bytes,
        "nofile": limits.open_files,
        "core": 0,
    }
    return [
        *("--rm", "--pull=never", "--log-driver=none", "--network=none", "--read-only"),
        *("--cap-drop=ALL", "--security-opt=no-new-privileges", "--security-opt=label=disable"),
        *_user(runtime, folder),
        f"--pids-limit={limits.processes}",
        f"--memory={limits.memory_bytes}",
        f"--memory-swap={limits.memory_bytes}",  # the sum of memory and swap: no swap
        *(f"--ulimit={name}={value}" for name, value in ulimits.items()),
        f"--tmpfs=/tmp:rw,nosuid,nodev,size={limits.file_bytes}",
        *("--workdir", str(INSIDE)),
        *(f"--env={name}" for name in (f"PATH={PATH}", f"HOME={INSIDE}", "LANG=C.UTF-8")),
    ]


def _user(runtime: str, folder: Path) -> list[str]:
    """The owner of the folder; root inside a rootless docker is our own user outside."""
    if Path(runtime).name == "docker":
        return ["--user=0:0"]
    if user := fresh_user(folder):
        return [f"--user={user}:{user}", "--read-only-tmpfs=false"]
    return ["--userns=keep-id", "--read-only-tmpfs=false"]


def _mounts(folder: Path, places: Mapping[Path, Path]) -> list[str]:
    """The system and what the command needs, read-only, and its folder."""
    system = {Path(path): Path(path) for path in SYSTEM if Path(path).exists()}
    shown = [f"--volume={path}:{place}:ro" for path, place in {**system, **places}.items()]
    return [*shown, f"--volume={folder}:{INSIDE}:rw"]


def _empty_archive() -> bytes:
    archive = BytesIO()
    tarfile.open(fileobj=archive, mode="w").close()
    return archive.getvalue()


def _remove(runtime: str, name: str) -> None:
    _ask(runtime, "rm", "--force", name)


def _ask(runtime: str, *order: str, given: bytes = b"") -> subprocess.CompletedProcess[str]:
    """What the runtime answers; none in time counts as a failure."""
    command = [runtime, *order]
    try:
        ended = subprocess.run(
            command, input=given, capture_output=True, timeout=PATIENCE, env=_environment()
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))
    stdout, stderr = (said.decode(errors="replace") for said in (ended.stdout, ended.stderr))
    return subprocess.CompletedProcess(command, ended.returncode, stdout, stderr)


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}

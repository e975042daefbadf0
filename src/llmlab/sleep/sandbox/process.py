"""Run a command to its end, or to a limit of time or output, and leave no process behind."""

import os
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

CHUNK = 2**16
Stopped = Literal["time", "output", "disk"]


@dataclass(frozen=True)
class Limits:
    """What a command may use.

    Attributes:
        seconds: wall time of the whole command.
        cpu_seconds: processor time of each process.
        memory_bytes: address space of each process.
        processes: processes and threads at once.
        output_bytes: standard output and error together.
        file_bytes: size of each file, and of all files together.
        open_files: file descriptors of each process.
    """

    seconds: float = 10.0
    cpu_seconds: int = 10
    memory_bytes: int = 2 * 2**30
    processes: int = 64
    output_bytes: int = 2**20
    file_bytes: int = 64 * 2**20
    open_files: int = 256


@dataclass(frozen=True)
class Ran:
    """How a command ended.

    Attributes:
        code: exit status; negative where a signal ended it.
        stopped: the limit at which it was stopped from outside, if one was reached.
    """

    code: int
    stdout: str
    stderr: str
    seconds: float
    stopped: Stopped | None = None


def run_limited(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    limits: Limits,
    *,
    prepare: Callable[[], None] | None = None,
    watch: Callable[[], Stopped | None] = lambda: None,
    grace: float = 0.0,
) -> Ran:
    """Run `command` in `folder`, in a process group of its own that ends with this call.

    Args:
        prepare: runs in the new process before the command.
        watch: is asked every twentieth of a second whether another limit is reached.
        grace: seconds that the command has, once it is told to stop, to end what it started.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=prepare,
    )
    try:
        pieces, stopped = _read(process, began + limits.seconds, limits.output_bytes, watch)
    finally:
        _end_group(process, grace)
    stdout, stderr = (b"".join(pieces[stream]).decode(errors="replace") for stream in pieces)
    return Ran(process.returncode, stdout, stderr, time.monotonic() - began, stopped)


def set_limits(limits: Limits) -> None:
    """Put the limits that the kernel itself holds on this process and its children."""
    for kind, value in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))
    # one second between the signal that tells the reason and the one that tells none
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1))


def _read(
    process: subprocess.Popen,
    deadline: float,
    output_bytes: int,
    watch: Callable[[], Stopped | None],
) -> tuple[dict[IO[bytes], list[bytes]], Stopped | None]:
    """What the command prints, until it has ended or reached a limit."""
    pieces: dict[IO[bytes], list[bytes]] = {process.stdout: [], process.stderr: []}
    left = output_bytes
    with selectors.DefaultSelector() as selector:
        for stream in pieces:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(timeout=0.05):
                data = os.read(key.fd, CHUNK)
                if not data:
                    selector.unregister(key.fileobj)
                    continue
                pieces[key.fileobj].append(data[:left])
                left -= len(data)
            if left < 0:
                return pieces, "output"
            if time.monotonic() > deadline:
                return pieces, "time"
            if stopped := watch():
                return pieces, stopped
            if process.poll() is not None and not selector.select(timeout=0):
                break  # a child of the command may keep the pipe open for ever
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return pieces, "time"
    return pieces, None


def _end_group(process: subprocess.Popen, grace: float) -> None:
    if grace and process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.wait()
    process.stdout.close()
    process.stderr.close()

"""Lease the GPUs of this machine to one process at a time, through file locks.

The locks are in a folder shared by all users of the machine; the operating system drops them when
their holder dies, however it dies.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

LOCKS = Path(tempfile.gettempdir()) / "llmlab-gpus"
POLL_SECONDS = 1.0
"""Seconds between two tries to lease a GPU."""


def visible_gpus() -> tuple[str, ...]:
    """UUIDs of the GPUs that CUDA would show to this process; none without an NVIDIA driver."""
    if shutil.which("nvidia-smi") is None:
        return ()
    command = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    neutral = os.environ | {"LC_ALL": "C"}
    listed = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", env=neutral, check=False
    )
    installed = dict(line.split(", ") for line in listed.stdout.splitlines() if ", " in line)
    return _chosen(installed, os.environ.get("CUDA_VISIBLE_DEVICES"))


def _chosen(installed: dict[str, str], visible: str | None) -> tuple[str, ...]:
    """The installed GPUs in CUDA_VISIBLE_DEVICES; like CUDA, stops at an invalid entry."""
    if visible is None:
        return tuple(installed.values())
    chosen = []
    for entry in visible.split(","):
        uuid = installed.get(entry.strip(), entry.strip())
        if not uuid.startswith(("GPU-", "MIG-")):
            break
        chosen.append(uuid)
    return tuple(chosen)


@contextmanager
def lease(
    gpus: Sequence[str],
    most: int,
    locks: Path = LOCKS,
    waiting: Callable[[], None] = lambda: None,
) -> Iterator[tuple[str, ...]]:
    """Hold between one and `most` free GPUs until the block ends.

    If all are taken, calls `waiting` once and waits for one. Holds none if `gpus` is empty.
    """
    if not gpus:
        yield ()
        return
    locks.mkdir(parents=True, exist_ok=True)
    with suppress(PermissionError):  # another user created the folder, writable for all
        locks.chmod(0o777)
    with ExitStack() as held:
        taken = _take_free(gpus, most, locks, held)
        if not taken:
            waiting()
        while not taken:
            time.sleep(POLL_SECONDS)
            taken = _take_free(gpus, most, locks, held)
        yield taken


def _take_free(gpus: Sequence[str], most: int, locks: Path, held: ExitStack) -> tuple[str, ...]:
    taken: list[str] = []
    for gpu in gpus:
        if len(taken) == most:
            break
        with suppress(Timeout):
            held.enter_context(FileLock(locks / f"{gpu}.lock", timeout=0, mode=0o666))
            taken.append(gpu)
    return tuple(taken)

"""Locks between processes; the system drops one when its holder dies, however it dies."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from llmlab.method.errors import LabError
from llmlab.method.files import unwritable
from llmlab.method.project import Project

PATIENCE_SECONDS = 600
"""Longest wait for another process; judging all hypotheses takes a minute."""


@contextmanager
def locked(lock: Path, taken: str, patience: float = 0) -> Iterator[None]:
    """Hold a lock until the block ends.

    Args:
        lock: the file of the lock; it is created with its folder, and stays.
        taken: what to say if another process still holds it after `patience` seconds.

    Raises:
        LabError: another process holds the lock, or its folder cannot be written to.
    """
    held = FileLock(lock, timeout=patience)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        held.acquire()
    except Timeout:
        raise LabError(taken) from None
    except OSError as error:
        raise unwritable(lock.parent, error) from error
    try:
        yield
    finally:
        held.release()


def beside(path: Path) -> Path:
    """The lock of a file or folder that must hold nothing else: `.NAME.lock` beside it."""
    return path.with_name(f".{path.name}.lock")


def attesting(project: Project) -> AbstractContextManager[None]:
    """Wait until no other process attests: two would share their runs and their trace."""
    return locked(
        project.build / "attest.lock",
        f"another `llmlab attest` has been running for {PATIENCE_SECONDS // 60} minutes: wait "
        "until it ends, then repeat the command.",
        PATIENCE_SECONDS,
    )


def writing_results(project: Project) -> AbstractContextManager[None]:
    """Wait until no other process writes into `results/`, and let none until the block ends."""
    return locked(
        project.build / "results.lock",
        f"another process has been writing to {project.root / 'results'} for "
        f"{PATIENCE_SECONDS // 60} minutes: wait until it ends, then repeat the command.",
        PATIENCE_SECONDS,
    )

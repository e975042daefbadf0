"""The folder of a run: its name, whether it is taken, and the lock of the one writing process."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from llmlab.method.errors import LabError
from llmlab.method.locks import locked
from llmlab.runs.log import RunLog

LOG = "log.jsonl"
LOCK = ".lock"
RUNS = Path("runs")


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run."""

    path: Path

    @property
    def log(self) -> RunLog:
        """What happened in the run."""
        return RunLog(self.path / LOG)

    @property
    def is_empty(self) -> bool:
        """Whether nothing but a lock is in the folder, or the folder does not exist."""
        return not self.path.is_dir() or all(file.name == LOCK for file in self.path.iterdir())

    def require_empty(self) -> None:
        """Check that the folder holds no run before any work starts.

        Raises:
            LabError: the folder holds a run or any other file.
        """
        if not self.is_empty:
            raise LabError(
                f"{self.path} already holds a run or other files: name another folder with --out, "
                "or remove it."
            )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the folder against other processes until the block ends.

        Creates the folder, and removes it again if nothing was written into it. The operating
        system drops the lock when the process dies, however it dies.

        Raises:
            LabError: another process holds the folder, or it cannot be written to.
        """
        made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        taken = (
            f"another process is writing to {self.path}: wait until it ends, or name another "
            "folder with --out."
        )
        with locked(self.path / LOCK, taken):
            try:
                yield
            finally:
                if self.is_empty:
                    _remove(self.path / LOCK, made)


def default_folder(*parts: str, seed: int) -> Path:
    """The default folder of a run: `runs/micro-stdlib-seed0`."""
    return RUNS / "-".join([*parts, f"seed{seed}"])


def first_free(folder: Path) -> Path:
    """`folder`, or `folder-2`, `folder-3`, …: the first that does not exist."""
    numbered = (folder.with_name(f"{folder.name}-{number}") for number in itertools.count(2))
    return next(path for path in itertools.chain([folder], numbered) if not path.exists())


def _remove(lock: Path, made: list[Path]) -> None:
    """Remove the lock and the folders created for it."""
    with suppress(OSError):
        lock.unlink(missing_ok=True)
        for folder in made:
            folder.rmdir()

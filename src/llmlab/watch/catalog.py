"""Which runs there are: folders with a `log.jsonl`."""

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from llmlab.method.documents import listed
from llmlab.method.errors import LabError
from llmlab.method.json_values import printable
from llmlab.runs.folder import LOG

INSIDE = "inspect.html"
"""The page that `llmlab inspect` makes of a run's model."""

DEPTH = 4
"""Levels of folders below a root that are searched; build/results/laptop/lora_rank has three."""

SHOWN = 4
"""Most names that a sentence lists."""


@dataclass(frozen=True)
class Found:
    """The outcome of a search.

    Attributes:
        runs: the folder of each run, by its name, the latest changed first.
        notes: sentences on what cannot be read, and on where no run is.
    """

    runs: Mapping[str, Path]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Catalog:
    """The runs in some folders; each of these is a run itself, or holds runs.

    Attributes:
        base: the folder that names are relative to, where a run lies below it.
    """

    roots: tuple[Path, ...]
    base: Path

    def search(self) -> Found:
        """The runs that there are now."""
        unread: dict[str, str] = {}
        found = {folder for root in self.roots for folder in _below(root.resolve(), DEPTH, unread)}
        latest = sorted(found, key=lambda folder: _modified(folder / LOG), reverse=True)
        return Found(
            {self._name(folder): folder for folder in latest},
            (*_unread(unread), *(() if found else (self._nothing(),))),
        )

    def folder(self, name: str) -> Path:
        """The folder of the run called `name`: looked up, never built from the name.

        Raises:
            LabError: there is no such run.
        """
        found = self.search().runs.get(name)
        if found is None:
            raise LabError("no run has that name: see /api/runs for the names of all runs.")
        return found

    def _nothing(self) -> str:
        places = " or ".join(printable(str(root)) for root in self.roots)
        return (
            f"There is no run in {places}: no {LOG} lies there, nor up to {DEPTH} folders below. "
            "Start one there with --out, or name another folder."
        )

    def _name(self, folder: Path) -> str:
        base = self.base.resolve()
        below = folder.relative_to(base) if folder.is_relative_to(base) else folder
        return printable(below.as_posix())


def made_at(page: Path) -> float | None:
    """When a file was written, Unix time; None if it is missing or a link."""
    return None if page.is_symlink() or not page.is_file() else _modified(page)


def checkpoints(folder: Path) -> list[str]:
    """The names of the checkpoints in a run's folder, oldest first."""
    return sorted(printable(path.name) for path in folder.glob("checkpoints/step-*"))


def _below(folder: Path, depth: int, unread: dict[str, str]) -> Iterator[Path]:
    """The runs at most `depth` levels below a folder; links are not followed.

    Args:
        unread: takes the cause why a folder, or the log in it, cannot be read.
    """
    try:
        if _is_log(folder / LOG):
            yield folder
            return
        within = _folders(folder) if depth else []
    except FileNotFoundError:  # removed meanwhile, or never made
        return
    except OSError as error:
        unread[printable(str(folder))] = error.strerror or str(error)
        return
    for below in within:
        yield from _below(below, depth - 1, unread)


def _is_log(path: Path) -> bool:
    """Whether a path is a file, not a link; PermissionError if it cannot be read."""
    try:
        is_file = stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False
    if is_file and not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return is_file


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return [Path(entry) for entry in entries if entry.is_dir(follow_symlinks=False)]


def _unread(causes: Mapping[str, str]) -> Iterator[str]:
    if causes:
        places, reasons = listed(list(causes), SHOWN), ", ".join(sorted({*causes.values()}))
        yield f"Cannot look for runs in {places}: {reasons}. Make them readable."


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0

"""Which runs there are: folders with a `log.jsonl`."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llmlab.method.errors import LabError
from llmlab.method.json_values import printable
from llmlab.runs.folder import LOG

INSIDE = "inspect.html"
"""The page that `llmlab inspect` makes of a run's model."""

DEPTH = 4
"""Levels of folders below a root that are searched; build/results/laptop/lora_rank has three."""


@dataclass(frozen=True)
class Catalog:
    """The runs in some folders; each of these is a run itself, or holds runs.

    Attributes:
        base: the folder that names are relative to, where a run lies below it.
    """

    roots: tuple[Path, ...]
    base: Path

    def runs(self) -> dict[str, Path]:
        """The folder of each run, by its name, the latest changed first."""
        found = {folder for root in self.roots for folder in _below(root.resolve(), DEPTH)}
        latest = sorted(found, key=lambda folder: _modified(folder / LOG), reverse=True)
        return {self._name(folder): folder for folder in latest}

    def folder(self, name: str) -> Path:
        """The folder of the run called `name`: looked up, never built from the name.

        Raises:
            LabError: there is no such run.
        """
        found = self.runs().get(name)
        if found is None:
            raise LabError("no run has that name: see /api/runs for the names of all runs.")
        return found

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


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """The runs at most `depth` levels below a folder; links are not followed."""
    log = folder / LOG
    if log.is_file() and not log.is_symlink():
        yield folder
    elif depth:
        for below in _folders(folder):
            yield from _below(below, depth - 1)


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry) for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:  # removed meanwhile, or not ours to read
        return []


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0

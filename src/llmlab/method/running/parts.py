"""The runs of one experiment while it is computed: one file per finished run.

A results folder holds `parts/<digest>/`, named by the digest of what a single run depends on. More
seeds or conditions therefore compute only new runs, and runs of other code never mix in.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from llmlab.method.declare.catalog import load_experiment, scale_budget
from llmlab.method.declare.experiment import Experiment, Trial
from llmlab.method.errors import LabError
from llmlab.method.evidence.fingerprint import Fingerprint
from llmlab.method.evidence.manifest import KEPT
from llmlab.method.files import write_file

LOCK = "run.lock"
"""The lock that a run holds on its folder."""
PARTS = "parts"
"""The folder of the finished runs, one file each."""


@dataclass(frozen=True)
class Part:
    """One finished run.

    Attributes:
        row: its row of `runs.csv`.
        curves: the (step, value) points of each curve.
        views: its views of a model, by name.
        started, finished: ISO 8601 in UTC.
        device: the device that computed it, in words.
        commit: the commit of the code, in words.
    """

    row: dict[str, str | int | float | bool]
    curves: dict[str, list[tuple[int, float]]]
    views: dict[str, Any]
    started: str
    finished: str
    device: str
    commit: str

    @property
    def run_id(self) -> str:
        return str(self.row["run_id"])


@dataclass(frozen=True)
class Parts:
    """The finished runs in `<results folder>/parts/<digest>/`."""

    folder: Path

    @classmethod
    def of(cls, results: Path, fingerprint: Fingerprint) -> "Parts":
        return cls(results / PARTS / fingerprint.run_digest[:12])

    @property
    def kept(self) -> Path:
        """Folder of files kept for other experiments until all runs are finished."""
        return self.folder / KEPT

    def path(self, run_id: str) -> Path:
        """The file of one run: a readable name, with a hash that keeps it unique if cut."""
        readable = re.sub(r"[^\w.=-]+", "-", run_id)[:80]
        return self.folder / f"{readable}-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}.json"

    def error_path(self, run_id: str) -> Path:
        """The file of the traceback of a run that raised."""
        return self.path(run_id).with_suffix(".error.txt")

    def write(self, part: Part) -> None:
        """Write one finished run; errors as in `write_file`."""
        write_file(self.path(part.run_id), json.dumps(asdict(part)))
        self.error_path(part.run_id).unlink(missing_ok=True)

    def read(self, run_id: str) -> Part | None:
        """Read one finished run, or None if it has to be run (again)."""
        try:
            part = _reader().validate_json(self.path(run_id).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        except OSError as error:
            raise LabError(
                f"cannot read {self.path(run_id)}: {error.strerror}; remove it or make it "
                "readable, then repeat the command."
            ) from error
        return part if part.row.get("run_id") == run_id else None


@cache
def _reader() -> TypeAdapter:
    return TypeAdapter(Part)


def trials(
    experiment: Experiment, scale: str, needs: Mapping[str, Path], keep: Path
) -> Iterator[Trial]:
    """All trials of one scale in canonical order: by condition, then by seed."""
    budget = scale_budget(experiment, scale)
    needed = {name: scale_budget(load_experiment(name), scale) for name in needs}
    for condition in experiment.conditions(scale):
        for seed in range(budget.seeds):
            yield Trial(
                experiment=experiment.name,
                scale=scale,
                condition=condition,
                seed=seed,
                settings=budget.settings,
                needs={name: needed[name].kept(folder, seed) for name, folder in needs.items()},
                keep=budget.kept(keep, seed),
            )


def is_running(results: Path) -> bool:
    """Whether a process is computing the experiment of this folder."""
    if not (results / LOCK).is_file():
        return False
    try:
        with FileLock(results / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a folder that nobody can write to is not in use
        return False

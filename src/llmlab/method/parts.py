"""The runs of one experiment while it is computed: one file per finished run.

A folder of results holds `parts/<digest>/`, named by what a single run depends on, so that more
seeds or conditions compute only what is new, and runs of other code are never mixed in.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from llmlab.method.catalog import scale_budget
from llmlab.method.digest import Fingerprint
from llmlab.method.experiment import Experiment, Trial
from llmlab.method.files import write_file

KEPT = "kept"
LOCK = "run.lock"


@dataclass(frozen=True)
class Parts:
    """The finished runs in `<results folder>/parts/<digest>/`."""

    folder: Path

    @classmethod
    def of(cls, results: Path, fingerprint: Fingerprint) -> "Parts":
        return cls(results / "parts" / fingerprint.run_digest[:12])

    @property
    def kept(self) -> Path:
        """Where the runs leave files for other experiments until all are finished."""
        return self.folder / KEPT

    def path(self, run_id: str) -> Path:
        """The file of one run: readable, and unique also where the readable half is cut."""
        readable = re.sub(r"[^\w.=-]+", "-", run_id)[:80]
        return self.folder / f"{readable}-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}.json"

    def error_path(self, run_id: str) -> Path:
        """The file of the traceback of a run that raised."""
        return self.path(run_id).with_suffix(".error.txt")

    def write(self, run_id: str, part: Mapping[str, object]) -> None:
        """Keep one finished run; errors as `write_file`."""
        write_file(self.path(run_id), json.dumps(part))
        self.error_path(run_id).unlink(missing_ok=True)

    def read(self, run_id: str) -> dict | None:
        """One finished run, or None where it has to be run (again)."""
        try:
            return json.loads(self.path(run_id).read_bytes())
        except (FileNotFoundError, ValueError):
            return None


def trials(
    experiment: Experiment, scale: str, needs: Mapping[str, Path], keep: Path
) -> Iterator[Trial]:
    """All trials of one scale in canonical order: by condition, then by seed."""
    budget = scale_budget(experiment, scale)
    for condition in experiment.conditions(scale):
        for seed in range(budget.seeds):
            yield Trial(experiment.name, scale, condition, seed, budget.settings, needs, keep)


def run_lock(results: Path, timeout: float = 1.0) -> FileLock:
    """The lock that a run holds on its folder.

    It waits a moment, so that somebody looking whether a run is on does not make a run fail.
    """
    return FileLock(results / LOCK, timeout=timeout)


def is_running(results: Path) -> bool:
    """Whether some process computes the experiment of this folder now."""
    if not (results / LOCK).is_file():
        return False
    try:
        with run_lock(results, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a folder that nobody may write to is not being written to
        return False

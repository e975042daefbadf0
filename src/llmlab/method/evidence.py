"""The evidence there is for an experiment: freshly computed or recorded, current or stale."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llmlab.method.catalog import catalog, check_scale, load_experiment
from llmlab.method.digest import fingerprint
from llmlab.method.errors import LabError
from llmlab.method.experiment import SCALES, Experiment
from llmlab.method.manifest import MANIFEST, Manifest, read_manifest
from llmlab.method.parts import Parts, is_running, trials
from llmlab.method.project import Project
from llmlab.method.views import Views, read_views

if TYPE_CHECKING:
    import pandas as pd

Origin = Literal["fresh", "recorded"]
Word = Literal["missing", "running", "partial", "current", "stale"]


@dataclass(frozen=True)
class Evidence:
    """The complete tables of one experiment at one scale.

    Attributes:
        origin: "fresh" if this machine computed them, "recorded" if they come with the book.
        changes: what changed since they were made; empty if nothing that they depend on did.
    """

    experiment: Experiment
    scale: str
    origin: Origin
    folder: Path
    manifest: Manifest
    changes: tuple[str, ...]

    @property
    def state(self) -> Literal["current", "stale"]:
        return "stale" if self.changes else "current"

    @cached_property
    def runs(self) -> pd.DataFrame:
        """The table of runs; errors as `tables.read_runs`."""
        from llmlab.method.tables import read_runs  # pandas takes longer than all else

        return read_runs(self.folder, self.experiment)

    @cached_property
    def curves(self) -> pd.DataFrame:
        """The table of curves; errors as `tables.read_runs`."""
        from llmlab.method.tables import read_curves

        return read_curves(self.folder)

    @cached_property
    def views(self) -> Views:
        """For each run its looks inside the model, by name; errors as `views.read_views`."""
        return read_views(self.folder)


@dataclass(frozen=True)
class State:
    """How far an experiment is at one scale.

    Attributes:
        word: "running" while a process computes it, "partial" if some runs are finished but there
            are no current tables.
        reason: what made it stale, or how many runs are finished; empty otherwise.
        origin: where the tables are; None if there are none.
    """

    word: Word
    reason: str = ""
    origin: Origin | None = None


def fresh_evidence(project: Project, name: str, scale: str) -> Evidence | None:
    """The complete tables that this machine computed, if there are any."""
    return _evidence(project.fresh(scale, name), name, scale, "fresh")


def recorded_evidence(project: Project, name: str, scale: str) -> Evidence | None:
    """The tables that come with the book, if there are any."""
    return _evidence(project.recorded(scale, name), name, scale, "recorded")


def evidence_at(project: Project, name: str, scale: str) -> Evidence | None:
    """The evidence at one scale: current before stale, then fresh before recorded."""
    check_scale(scale)
    found = [fresh_evidence(project, name, scale), recorded_evidence(project, name, scale)]
    return min(filter(None, found), key=lambda evidence: bool(evidence.changes), default=None)


def best_evidence(project: Project, name: str) -> Evidence:
    """The evidence at the largest scale that there is.

    Raises:
        LabError: there is none at any scale; names the command that makes some.
    """
    for scale in reversed(SCALES):
        evidence = evidence_at(project, name, scale)
        if evidence is not None:
            return evidence
    raise LabError(
        f"there are no results of {name} yet; `llmlab run {name} --scale smoke` makes them."
    )


def state(project: Project, name: str, scale: str) -> State:
    """How far an experiment is at one scale."""
    folder = project.fresh(scale, name)
    evidence = evidence_at(project, name, scale)
    finished, total = finished_runs(project, name, scale)
    progress = f"{finished} of {total} runs"
    if is_running(folder):
        return State("running", progress)
    if evidence is not None and not evidence.changes:
        return State("current", origin=evidence.origin)
    if finished:
        return State("partial", progress)
    if evidence is not None:
        return State("stale", ", ".join(evidence.changes), evidence.origin)
    return State("missing")


def states(project: Project) -> dict[str, dict[str, State]]:
    """How far each experiment is at each scale that it has a budget for."""
    return {
        name: {
            scale: state(project, name, scale) for scale in SCALES if scale in experiment.budgets
        }
        for name, experiment in catalog().items()
    }


def finished_runs(project: Project, name: str, scale: str) -> tuple[int, int]:
    """How many runs of the present code are finished, and how many there are to be."""
    experiment = load_experiment(name)
    parts = Parts.of(project.fresh(scale, name), fingerprint(experiment, scale))
    paths = [parts.path(trial.run_id) for trial in trials(experiment, scale, {}, parts.kept)]
    return sum(path.is_file() for path in paths), len(paths)


def _evidence(folder: Path, name: str, scale: str, origin: Origin) -> Evidence | None:
    experiment = load_experiment(name)
    if scale not in experiment.budgets or not (folder / MANIFEST).is_file():
        return None
    manifest = read_manifest(folder)
    changes = fingerprint(experiment, scale).changes_since(manifest.fingerprint)
    return Evidence(experiment, scale, origin, folder, manifest, changes)

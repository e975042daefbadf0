"""The available evidence for an experiment: fresh or recorded, current or stale."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llmlab.method.declare.catalog import check_scale, experiment_names, load_experiment
from llmlab.method.declare.experiment import SCALES, Experiment
from llmlab.method.errors import LabError
from llmlab.method.evidence.equivalence import Equivalence, read_equivalence
from llmlab.method.evidence.fingerprint import fingerprint_like
from llmlab.method.evidence.manifest import MANIFEST, Manifest, read_manifest
from llmlab.method.evidence.views import Views, read_views
from llmlab.method.project import Project

if TYPE_CHECKING:
    import pandas as pd

Origin = Literal["fresh", "recorded"]
Standing = Literal["current", "current, by equivalence", "stale"]


@dataclass(frozen=True)
class Evidence:
    """The complete tables of one experiment at one scale.

    Attributes:
        origin: "fresh" if this machine computed them, "recorded" if they come with the book.
        changes: dependencies that changed since the tables were made; empty if none did.
        equivalence: shows that the code changed since then gives the same results, bit for bit.
    """

    experiment: Experiment
    scale: str
    origin: Origin
    folder: Path
    manifest: Manifest
    changes: tuple[str, ...]
    equivalence: Equivalence | None = None

    @property
    def state(self) -> Standing:
        if self.equivalence:
            return "current, by equivalence"
        return "stale" if self.changes else "current"

    @cached_property
    def fits(self) -> bool:
        """Whether its runs have the columns that the experiment declares now.

        A stale table may have those of its day: it can be neither shown nor judged.
        """
        if not self.changes:
            return True
        from llmlab.method.evidence.tables import has_columns

        return has_columns(self.folder, self.experiment)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """The table of runs; errors as in `tables.read_runs`."""
        from llmlab.method.evidence.tables import read_runs  # imports pandas, which is slow

        return read_runs(self.folder, self.experiment)

    @cached_property
    def curves(self) -> pd.DataFrame:
        """The table of curves; errors as in `tables.read_runs`."""
        from llmlab.method.evidence.tables import read_curves

        return read_curves(self.folder)

    @cached_property
    def views(self) -> Views:
        """The views of each run, by name; errors as in `views.read_views`."""
        return read_views(self.folder)


def fresh_evidence(project: Project, name: str, scale: str) -> Evidence | None:
    """The complete tables that this machine computed, if there are any."""
    return _evidence(project.fresh(scale, name), name, scale, "fresh")


def recorded_evidence(project: Project, name: str, scale: str) -> Evidence | None:
    """The tables that come with the book, if there are any."""
    return _evidence(project.recorded(scale, name), name, scale, "recorded")


def evidence_at(project: Project, name: str, scale: str) -> Evidence | None:
    """The evidence at one scale; prefers current to stale, then fresh to recorded."""
    check_scale(scale)
    found = [fresh_evidence(project, name, scale), recorded_evidence(project, name, scale)]
    return min(filter(None, found), key=lambda evidence: bool(evidence.changes), default=None)


def ranked_evidence(project: Project, name: str) -> list[Evidence]:
    """The evidence at each scale that has any, best first; smoke only if there is no other.

    Current evidence comes before stale, whose code or budget has been given up; then a larger scale
    before a smaller. A stale table of other columns does not count.
    """
    found = [evidence_at(project, name, scale) for scale in reversed(SCALES)]
    fitting = [evidence for evidence in found if evidence and evidence.fits]
    ranked = sorted(fitting, key=lambda evidence: bool(evidence.changes))
    return [evidence for evidence in ranked if evidence.scale != "smoke"] or ranked


def answered(project: Project, scale: str) -> set[str]:
    """The experiments whose evidence at a scale is current."""
    found = (evidence_at(project, name, scale) for name in experiment_names())
    return {each.experiment.name for each in found if each and not each.changes}


def best_evidence(project: Project, name: str) -> Evidence:
    """The first of `ranked_evidence`.

    Raises:
        LabError: no scale has evidence.
    """
    ranked = ranked_evidence(project, name)
    if not ranked:
        raise LabError(
            f"there are no results of {name} yet; `llmlab run {name} --scale smoke` makes them."
        )
    return ranked[0]


def _evidence(folder: Path, name: str, scale: str, origin: Origin) -> Evidence | None:
    experiment = load_experiment(name)
    if scale not in experiment.budgets or not (folder / MANIFEST).is_file():
        return None
    manifest = read_manifest(folder)
    now = fingerprint_like(manifest.fingerprint, experiment, scale)
    changes = now.changes_since(manifest.fingerprint)
    shown = read_equivalence(folder) if changes else None
    if shown is not None and shown.holds(manifest.fingerprint, now):
        return Evidence(experiment, scale, origin, folder, manifest, (), shown)
    return Evidence(experiment, scale, origin, folder, manifest, changes)

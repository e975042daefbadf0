"""Recording: fresh tables become the evidence that is committed with the book."""

from pathlib import Path

from llmlab.method.declare.catalog import catalog, load_experiment, scale_budget
from llmlab.method.declare.experiment import SCALES
from llmlab.method.errors import LabError
from llmlab.method.evidence.lookup import Evidence, fresh_evidence
from llmlab.method.evidence.manifest import MANIFEST
from llmlab.method.files import remove_file, write_file
from llmlab.method.project import Project


def record(project: Project, name: str, scale: str) -> Path:
    """Copy the fresh tables of an experiment and their manifest into `results/`.

    Returns:
        The folder of the recorded tables.

    Raises:
        LabError: there is no such experiment or scale, its fresh tables are missing, incomplete,
            stale or damaged, or `results/` cannot be written.
    """
    scale_budget(load_experiment(name), scale)
    evidence = fresh_evidence(project, name, scale)
    command = f"`llmlab run {name} --scale {scale}`"
    if evidence is None:
        raise LabError(
            f"{name} has no complete results at the scale '{scale}'; run {command} first."
        )
    if evidence.changes:
        raise LabError(
            f"the results of {name} at the scale '{scale}' are stale "
            f"({', '.join(evidence.changes)} changed since); run {command} first."
        )
    return _copy(evidence, project.recorded(scale, name))


def recordable(project: Project) -> list[tuple[str, str]]:
    """The experiments and scales with fresh, complete and current tables."""
    return [
        (name, scale)
        for name, experiment in catalog().items()
        for scale in SCALES
        if scale in experiment.budgets and _is_current(fresh_evidence(project, name, scale))
    ]


def _is_current(evidence: Evidence | None) -> bool:
    return evidence is not None and not evidence.changes


def _copy(evidence: Evidence, target: Path) -> Path:
    """Copy tables that were read and found good; the manifest last, so that it vouches for all."""
    _ = evidence.runs, evidence.curves
    remove_file(target / MANIFEST)
    for name in (*evidence.manifest.sha256, MANIFEST):
        write_file(target / name, (evidence.folder / name).read_bytes())
    return target

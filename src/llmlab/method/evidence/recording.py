"""Record fresh tables as evidence to be committed with the book."""

import shutil
from pathlib import Path

from llmlab.method.checksums import content_sha256
from llmlab.method.declare.catalog import catalog, load_experiment, scale_budget
from llmlab.method.declare.experiment import SCALES
from llmlab.method.errors import LabError
from llmlab.method.evidence.lookup import Evidence, fresh_evidence
from llmlab.method.evidence.manifest import MANIFEST, parse_manifest
from llmlab.method.files import unwritable, write_file
from llmlab.method.locks import writing_results
from llmlab.method.project import Project


def record(project: Project, name: str, scale: str) -> Path:
    """Copy the fresh tables of an experiment and their manifest into `results/`.

    Returns:
        The folder of the recorded tables.

    Raises:
        LabError: as `checked`, or the tables change meanwhile, or `results/` cannot be written.
    """
    evidence = checked(project, name, scale)
    with writing_results(project):
        return _copy(evidence, project.recorded(scale, name))


def checked(project: Project, name: str, scale: str) -> Evidence:
    """The fresh tables of an experiment, which can be recorded.

    Raises:
        LabError: the experiment or scale does not exist, or its fresh tables are missing,
            incomplete, stale or damaged.
    """
    scale_budget(load_experiment(name), scale)
    evidence = fresh_evidence(project, name, scale)
    command = f"`llmlab run {name} --scale {scale}`"
    if evidence is None:
        raise LabError(f"{name} has no complete results at scale '{scale}'; run {command} first.")
    if evidence.changes:
        raise LabError(
            f"the results of {name} at scale '{scale}' are stale "
            f"({', '.join(evidence.changes)} changed since); run {command} first."
        )
    _ = evidence.runs, evidence.curves  # read, to find damage
    return evidence


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
    """Copy the tables, then replace the old ones with the copy.

    If the disk is full, the former tables stay unchanged.
    """
    contents = _contents(evidence)
    aside, former = (target.with_name(f".{target.name}.{word}") for word in ("new", "old"))
    try:
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(former, ignore_errors=True)
        for name, content in contents.items():
            write_file(aside / name, content)
        if target.exists():
            target.rename(former)
        aside.rename(target)
    except OSError as error:
        if former.exists() and not target.exists():
            former.rename(target)
        raise unwritable(target, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    shutil.rmtree(former, ignore_errors=True)
    return target


def _contents(evidence: Evidence) -> dict[str, bytes]:
    """The files to record, by name; LabError if another process has changed them meanwhile."""
    folder, manifest = evidence.folder, evidence.manifest
    try:
        found = {name: (folder / name).read_bytes() for name in (*manifest.sha256, MANIFEST)}
    except FileNotFoundError:
        found = {}
    is_whole = found and parse_manifest(folder / MANIFEST, found[MANIFEST]) == manifest
    if not is_whole or any(
        content_sha256(folder / name, found[name]) != digest
        for name, digest in manifest.sha256.items()
    ):
        raise LabError(
            f"another process is writing to {folder}: wait until it ends, then record again."
        )
    return found

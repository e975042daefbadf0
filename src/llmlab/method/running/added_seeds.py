"""Add seeds to recorded runs: the recorded runs are reused, and count as a look."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from llmlab.method.declare.catalog import catalog
from llmlab.method.errors import LabError
from llmlab.method.evidence.equivalence import read_equivalence
from llmlab.method.evidence.manifest import Manifest, read_manifest
from llmlab.method.evidence.provenance import GitState, libraries
from llmlab.method.project import Project
from llmlab.method.running.parts import Part
from llmlab.method.running.plan import Plan

if TYPE_CHECKING:
    from llmlab.method.evidence.lookup import Evidence


def judged_before(plan: Plan, project: Project) -> tuple[int, ...]:
    """The numbers of seeds of the recorded tables that this plan extends, earlier ones included.

    Tables of other code, other settings or other needed results do not count.
    """
    folder = project.recorded(plan.scale, plan.experiment.name)
    try:
        recorded = read_manifest(folder)
    except LabError:  # never recorded
        return ()
    if not _same_runs(plan, recorded, folder):
        return ()
    n_seeds = len({trial.seed for trial in plan.trials})
    return tuple(seeds for seeds in recorded.looks if seeds < n_seeds)


def take_over(plan: Plan, project: Project) -> int:
    """Reuse the recorded runs as if this machine had finished them.

    Returns:
        The number of runs reused; runs already finished here stay unchanged.

    Raises:
        LabError: nothing is recorded at this scale; the recorded runs come from other code or
            libraries; a table is damaged; or other experiments need files that recording omits.
    """
    recorded = _recorded(plan, project)
    wanted = {trial.run_id for trial in plan.trials if not plan.finished(trial)}
    taken = [part for part in _parts(recorded) if part.run_id in wanted]
    for part in taken:
        plan.parts.write(part)
    return len(taken)


def _recorded(plan: Plan, project: Project) -> "Evidence":
    """The recorded evidence, if its runs can replace those of the plan."""
    from llmlab.method.evidence.lookup import recorded_evidence

    name, what = plan.experiment.name, f"the recorded runs of {plan.experiment.name}"
    evidence = recorded_evidence(project, name, plan.scale)
    if evidence is None:
        raise LabError(
            f"{name} has no recorded runs at scale '{plan.scale}' to extend; run it without "
            "--extend."
        )
    if not _same_runs(plan, evidence.manifest, evidence.folder):
        raise LabError(
            f"{what} come from other code ({', '.join(evidence.changes)} changed since) and cannot "
            "be extended; run it without --extend."
        )
    if others := _changed_libraries(evidence.manifest):
        raise LabError(
            f"{what} were made with other libraries ({', '.join(others)}) and cannot be extended; "
            "install those versions, or run it without --extend."
        )
    if needing := [other.name for other in catalog().values() if name in other.needs]:
        raise LabError(
            f"{what} lack the files that {', '.join(needing)} needs, since these are not recorded; "
            "run it without --extend."
        )
    return evidence


def _same_runs(plan: Plan, recorded: Manifest, folder: Path) -> bool:
    """Whether the plan's code makes the recorded runs: it is theirs, or was shown to be as good."""
    then, now = recorded.fingerprint, plan.fingerprint
    shown = read_equivalence(folder)
    return then.run_digest == now.run_digest or (
        shown is not None and shown.holds_for_runs(then, now)
    )


def _changed_libraries(recorded: Manifest) -> list[str]:
    here = libraries()
    return [
        f"{name} {version}"
        for name, version in recorded.libraries.items()
        if here.get(name) != version
    ]


def _parts(recorded: "Evidence") -> Iterator[Part]:
    """The recorded runs in the form that a worker writes."""
    manifest = recorded.manifest
    told = {
        "started": manifest.started,
        "finished": manifest.finished,
        "device": manifest.device,
        "commit": str(GitState(manifest.git_commit, manifest.git_dirty)),
    }
    curves = dict(iter(recorded.curves.groupby("run_id", sort=False)))
    for row in recorded.runs.to_dict("records"):
        run_id = row["run_id"]
        points = {
            name: list(zip(curve["step"].tolist(), curve["value"].tolist(), strict=True))
            for name, curve in curves.get(run_id, recorded.curves[:0]).groupby("metric", sort=False)
        }
        yield Part(row, points, dict(recorded.views.get(run_id, {})), **told)

"""Adds seeds to recorded runs: the recorded ones are taken over, and count as a look."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmlab.method.declare.catalog import catalog
from llmlab.method.errors import LabError
from llmlab.method.evidence.manifest import Manifest, read_manifest
from llmlab.method.evidence.provenance import GitState, libraries
from llmlab.method.project import Project
from llmlab.method.running.parts import Part
from llmlab.method.running.plan import Plan

if TYPE_CHECKING:
    from llmlab.method.evidence.lookup import Evidence


def judged_before(plan: Plan, project: Project) -> tuple[int, ...]:
    """How many seeds the recorded tables had, and those before them, that this plan adds to.

    Tables of other code, other settings or another need are other runs and do not count.
    """
    try:
        recorded = read_manifest(project.recorded(plan.scale, plan.experiment.name))
    except LabError:  # never recorded
        return ()
    if not _same_runs(plan, recorded):
        return ()
    n_seeds = len({trial.seed for trial in plan.trials})
    return tuple(seeds for seeds in recorded.looks if seeds < n_seeds)


def take_over(plan: Plan, project: Project) -> int:
    """Take over the recorded runs as if this machine had finished them.

    Returns:
        How many runs were taken over; those that are finished here stay as they are.

    Raises:
        LabError: nothing is recorded at this scale, it is not of the present code and libraries,
            a table is damaged, or other experiments need files that only a run here leaves.
    """
    recorded = _recorded(plan, project)
    wanted = {trial.run_id for trial in plan.trials if not plan.finished(trial)}
    taken = [part for part in _parts(recorded) if part.run_id in wanted]
    for part in taken:
        plan.parts.write(part)
    return len(taken)


def _recorded(plan: Plan, project: Project) -> "Evidence":
    """The recorded evidence, if its runs can stand for those of the plan."""
    from llmlab.method.evidence.lookup import recorded_evidence

    name, what = plan.experiment.name, f"the recorded runs of {plan.experiment.name}"
    evidence = recorded_evidence(project, name, plan.scale)
    if evidence is None:
        raise LabError(
            f"nothing of {name} is recorded at the scale '{plan.scale}' that could be extended; "
            "run it without --extend."
        )
    if not _same_runs(plan, evidence.manifest):
        raise LabError(
            f"{what} are of other code ({', '.join(evidence.changes)} changed since), so new ones "
            "cannot be added to them; run it without --extend."
        )
    if others := _changed_libraries(evidence.manifest):
        raise LabError(
            f"{what} were made with other libraries ({', '.join(others)}), so new ones cannot be "
            "added to them; install those versions, or run it without --extend."
        )
    if needing := [other.name for other in catalog().values() if name in other.needs]:
        raise LabError(
            f"{what} left files for {', '.join(needing)}, and those are not recorded; run it "
            "without --extend."
        )
    return evidence


def _same_runs(plan: Plan, recorded: Manifest) -> bool:
    return recorded.fingerprint.run_digest == plan.fingerprint.run_digest


def _changed_libraries(recorded: Manifest) -> list[str]:
    here = libraries()
    return [
        f"{name} {version}"
        for name, version in recorded.libraries.items()
        if here.get(name) != version
    ]


def _parts(recorded: "Evidence") -> Iterator[Part]:
    """The recorded runs in the form in which a worker keeps them."""
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

"""The state of each experiment at each scale."""

from dataclasses import dataclass
from typing import Literal

from llmlab.method.declare.catalog import catalog, load_experiment
from llmlab.method.declare.experiment import SCALES
from llmlab.method.evidence.fingerprint import fingerprint
from llmlab.method.evidence.lookup import Evidence, Origin, evidence_at
from llmlab.method.evidence.manifest import damaged
from llmlab.method.evidence.reach import still_source
from llmlab.method.project import Project
from llmlab.method.running.parts import Parts, is_running, trials
from llmlab.method.running.plan import runs_together

Word = Literal["missing", "running", "partial", "current", "stale"]


@dataclass(frozen=True)
class State:
    """The state of an experiment at one scale.

    Attributes:
        word: "running" while a process computes it, "partial" if some runs are finished but there
            are no current tables.
        reason: what made it stale or is damaged, how many runs are finished, or that it is current
            by equivalence; empty otherwise.
        origin: where the tables are; None if there are none.
    """

    word: Word
    reason: str = ""
    origin: Origin | None = None


def state(project: Project, name: str, scale: str) -> State:
    """The state of an experiment at one scale."""
    if is_running(project.fresh(scale, name)):
        return State("running", _progress(*finished_runs(project, name, scale)))
    evidence = evidence_at(project, name, scale)
    broken = _damaged(evidence) if evidence is not None else ()
    if evidence is not None and not evidence.changes and not broken:
        reason = "by equivalence" if evidence.equivalence else ""
        return State("current", reason, evidence.origin)
    finished, total = finished_runs(project, name, scale)
    if finished:
        return State("partial", _progress(finished, total))
    if evidence is not None:
        other = () if evidence.fits else ("other columns",)
        reasons = (*evidence.changes, *other, *(f"{name} is damaged" for name in broken))
        return State("stale", ", ".join(reasons), evidence.origin)
    return State("missing")


def _damaged(evidence: Evidence) -> tuple[str, ...]:
    """Files that are not those of the manifest; recorded evidence is without what runs kept."""
    manifest = evidence.manifest
    expected = manifest.files if evidence.origin == "fresh" else manifest.sha256
    return damaged(evidence.folder, expected)


def states(project: Project) -> dict[str, dict[str, State]]:
    """The state of each experiment at each scale for which it has a budget."""
    with still_source():
        return {
            name: {
                scale: state(project, name, scale)
                for scale in SCALES
                if scale in experiment.budgets
            }
            for name, experiment in catalog().items()
        }


def finished_runs(project: Project, name: str, scale: str) -> tuple[int, int]:
    """The number of finished runs of the present code, and the number planned."""
    experiment = load_experiment(name)
    now = fingerprint(experiment, scale, together=runs_together(experiment))
    parts = Parts.of(project.fresh(scale, name), now)
    paths = [parts.path(trial.run_id) for trial in trials(experiment, scale, {}, parts.kept)]
    return sum(path.is_file() for path in paths), len(paths)


def _progress(finished: int, total: int) -> str:
    return f"{finished} of {total} runs"

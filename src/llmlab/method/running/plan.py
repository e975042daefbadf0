"""What a run is about to do: which trials, into which folder, with how many processes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmlab.method.declare.catalog import load_experiment, scale_budget
from llmlab.method.declare.experiment import Experiment, Trial
from llmlab.method.declare.sweep import Sweep
from llmlab.method.errors import LabError
from llmlab.method.evidence.fingerprint import (
    Fingerprint,
    fingerprint,
    fingerprint_like,
    reached_code,
)
from llmlab.method.evidence.manifest import KEPT, is_intact, read_manifest
from llmlab.method.evidence.provenance import GitState, available_cores, git_state
from llmlab.method.project import Project
from llmlab.method.running.lease import visible_gpus
from llmlab.method.running.parts import Parts, trials


@dataclass(frozen=True)
class Plan:
    """All that `llmlab run` is about to do.

    Attributes:
        folder: where the tables go.
        trials: the trials of all seeds; the tables need them all.
        seeds: the seeds to run now.
        unmet: needed experiments without current results at this scale.
        workers: most processes side by side.
        gpus: GPUs to choose from; no other job uses those that are chosen.
        code: the commit of the code that the runs reach.
    """

    experiment: Experiment
    scale: str
    folder: Path
    fingerprint: Fingerprint
    trials: tuple[Trial, ...]
    seeds: tuple[int, ...]
    unmet: tuple[str, ...]
    workers: int
    gpus: tuple[str, ...]
    code: GitState

    @property
    def parts(self) -> Parts:
        return Parts.of(self.folder, self.fingerprint)

    @property
    def workers_per_gpu(self) -> int:
        return max(1, self.workers // max(1, len(self.gpus)))

    @property
    def together(self) -> bool:
        """Whether a process runs its whole share of the trials at once."""
        return self.fingerprint.together

    @property
    def way(self) -> str:
        """How the trials are run, in words."""
        return "all runs of a GPU at once" if self.together else "each run in a process of its own"

    @property
    def chosen(self) -> tuple[Trial, ...]:
        """The trials of the seeds to run now."""
        return tuple(trial for trial in self.trials if trial.seed in self.seeds)

    @property
    def is_done(self) -> bool:
        """Whether the tables are there, intact and current."""
        return _is_current(self.folder, self.experiment, self.scale)

    def finished(self, trial: Trial) -> bool:
        return self.parts.read(trial.run_id) is not None


def make_plan(
    experiment: Experiment,
    scale: str,
    project: Project,
    *,
    seeds: Sequence[int] | None = None,
    out: Path | None = None,
    workers: int | None = None,
) -> Plan:
    """What `run_experiment` would do with the same arguments; writes nothing.

    Raises:
        LabError: the experiment has no such scale, or no such seed at it.
    """
    budget = scale_budget(experiment, scale)
    folder = out / scale / experiment.name if out else project.fresh(scale, experiment.name)
    current = fingerprint(experiment, scale, together=runs_together(experiment))
    needed = {name: _needed(name, scale, project, out) for name in experiment.needs}
    needs = {name: found / KEPT for name, found in needed.items() if found}
    gpus = visible_gpus()
    return Plan(
        experiment=experiment,
        scale=scale,
        folder=folder,
        fingerprint=current,
        trials=tuple(trials(experiment, scale, needs, Parts.of(folder, current).kept)),
        seeds=_checked_seeds(experiment, scale, seeds),
        unmet=tuple(name for name, found in needed.items() if found is None),
        workers=workers or len(gpus) or max(1, available_cores() // budget.threads),
        gpus=gpus,
        code=git_state(project.root, reached_code(experiment, together=current.together).files),
    )


def runs_together(experiment: Experiment) -> bool:
    """Whether this machine computes the runs of an experiment together.

    It pays on a GPU, which one small run leaves idle; the cores of a CPU do more with a run each.
    Only a `Sweep` knows how.
    """
    return isinstance(experiment, Sweep) and bool(visible_gpus())


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds from "0,1" or "0-4" or both, sorted.

    Raises:
        LabError: the text is neither.
    """
    seeds: set[int] = set()
    try:
        for piece in text.split(","):
            first, _, last = piece.partition("-")
            seeds |= set(range(int(first), int(last or first) + 1))
        if not seeds:
            raise ValueError
    except ValueError:
        raise LabError(f"seeds are numbers such as 0,1 or 0-4, not '{text}'.") from None
    return tuple(sorted(seeds))


def _checked_seeds(
    experiment: Experiment, scale: str, seeds: Sequence[int] | None
) -> tuple[int, ...]:
    """The seeds asked for, or all of the budget."""
    known = range(scale_budget(experiment, scale).seeds)
    for seed in seeds or ():
        if seed not in known:
            raise LabError(
                f"{experiment.name} has no seed {seed} at the scale '{scale}'; "
                f"its seeds are 0 to {len(known) - 1}."
            )
    return tuple(known if seeds is None else seeds)


def _needed(name: str, scale: str, project: Project, out: Path | None) -> Path | None:
    """The folder of the current results of a needed experiment."""
    folders = [*([out / scale / name] if out else []), project.fresh(scale, name)]
    experiment = load_experiment(name)
    return next((folder for folder in folders if _is_current(folder, experiment, scale)), None)


def _is_current(folder: Path, experiment: Experiment, scale: str) -> bool:
    """Whether the folder holds current tables, intact, and the files that the runs left."""
    try:
        manifest = read_manifest(folder)
    except LabError:  # missing or damaged: to be made (again)
        return False
    now = fingerprint_like(manifest.fingerprint, experiment, scale)
    return manifest.fingerprint == now and is_intact(folder, manifest)

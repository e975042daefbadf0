"""The plan of a run: its trials, folder and number of processes."""

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
from llmlab.method.options import short
from llmlab.method.project import Project
from llmlab.method.running.lease import visible_gpus
from llmlab.method.running.parts import Parts, trials

MOST_SEEDS = 10_000
"""More seeds than any budget has."""


@dataclass(frozen=True)
class Plan:
    """All that `llmlab run` will do.

    Attributes:
        folder: folder of the tables.
        trials: the trials of all seeds; the tables need them all.
        seeds: the seeds to run now.
        unmet: needed experiments without current results at this scale.
        workers: most processes in parallel.
        gpus: GPUs to lease from; leased GPUs are not used by other jobs.
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
        """Whether each process runs its whole share of the trials at once."""
        return self.fingerprint.together

    @property
    def way(self) -> str:
        """How the trials are run, in words."""
        return "all runs of a GPU at once" if self.together else "each run in its own process"

    @property
    def chosen(self) -> tuple[Trial, ...]:
        """The trials of the seeds to run now."""
        return tuple(trial for trial in self.trials if trial.seed in self.seeds)

    @property
    def pending(self) -> list[Trial]:
        """The chosen trials that are not finished yet."""
        return [trial for trial in self.chosen if not self.finished(trial)]

    @property
    def is_done(self) -> bool:
        """Whether the tables exist and are intact and current."""
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
    """Plan what `run_experiment` would do with the same arguments; writes nothing.

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

    This pays on a GPU, which one small run leaves mostly idle; on a CPU, one run per core is
    faster. Only a `Sweep` supports it.
    """
    return isinstance(experiment, Sweep) and bool(visible_gpus())


def parse_seeds(text: str) -> tuple[int, ...]:
    """Parse seeds from "0,1", "0-4" or a mix of both, sorted.

    Raises:
        LabError: the text has another form, or names more seeds than any budget has.
    """
    seeds: set[int] = set()
    try:
        for piece in text.split(","):
            first, _, last = piece.partition("-")
            named = range(int(first), int(last or first) + 1)
            seeds |= set(named[:MOST_SEEDS])
        if not 0 < len(seeds) < MOST_SEEDS:
            raise ValueError
    except ValueError:
        raise LabError(
            f"'{short(text)}' does not name seeds; give numbers such as 0,1 or 0-4."
        ) from None
    return tuple(sorted(seeds))


def _checked_seeds(
    experiment: Experiment, scale: str, seeds: Sequence[int] | None
) -> tuple[int, ...]:
    """The requested seeds, or all of the budget's."""
    known = range(scale_budget(experiment, scale).seeds)
    for seed in seeds or ():
        if seed not in known:
            raise LabError(
                f"{experiment.name} has no seed {seed} at scale '{scale}'; "
                f"choose from 0 to {len(known) - 1}."
            )
    return tuple(known if seeds is None else seeds)


def _needed(name: str, scale: str, project: Project, out: Path | None) -> Path | None:
    """The folder of the current results of a needed experiment."""
    folders = [*([out / scale / name] if out else []), project.fresh(scale, name)]
    experiment = load_experiment(name)
    return next((folder for folder in folders if _is_current(folder, experiment, scale)), None)


def _is_current(folder: Path, experiment: Experiment, scale: str) -> bool:
    """Whether the folder holds current, intact tables and the files that the runs kept."""
    try:
        manifest = read_manifest(folder)
    except LabError:  # missing or damaged, so it has to be made (again)
        return False
    now = fingerprint_like(manifest.fingerprint, experiment, scale)
    return manifest.fingerprint == now and is_intact(folder, manifest)

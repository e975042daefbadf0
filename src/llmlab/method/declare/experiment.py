"""The contract of an experiment: what each file in `llmlab.experiments` declares.

An experiment is a grid of conditions, repeated over seeds. Each cell and seed is one trial; `run`
turns one trial into one outcome, which becomes one row of `runs.csv` and some of `curves.parquet`.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

SCALES = ("smoke", "laptop", "gpu")
"""Budgets from small to large; a chapter shows the largest available."""

Status = Literal["completed", "diverged", "failed"]
Value = str | int | float | bool


@dataclass(frozen=True)
class Axis:
    """One variable of an experiment; `unit` is "1" if it has none."""

    name: str
    description: str
    unit: str = "1"


@dataclass(frozen=True)
class Metric:
    """One measured number.

    Attributes:
        direction: which way is better; "none" if neither is.
        tolerance: largest absolute difference at which a rerun on another machine still agrees.
        is_change: whether it is itself a difference, so that a share is shown in points, with sign.
    """

    name: str
    description: str
    unit: str
    direction: Literal["lower", "higher", "none"] = "none"
    tolerance: float = 0.0
    is_change: bool = False


@dataclass(frozen=True)
class Budget:
    """The budget of one scale.

    Attributes:
        conditions: the levels of each axis, in order; the trials are their full product.
        seeds: number of paired seeds, 0 to seeds - 1.
        settings: everything else a run needs to know (steps, batch size, items, ...).
        threads: CPU threads per run; fixed, so that results do not depend on the number of cores.
        kept_by_seed: whether each seed keeps its files in a folder of its own. Runs that need them
            then take turns: seed s reads those of seed s modulo `seeds`.
    """

    conditions: Mapping[str, Sequence[Value]]
    seeds: int
    settings: Mapping[str, Value] = field(default_factory=dict)
    threads: int = 1
    kept_by_seed: bool = False

    def kept(self, folder: Path, seed: int) -> Path:
        """The folder of the files that one seed keeps, or that a run of this seed needs."""
        return folder / f"seed-{seed % self.seeds}" if self.kept_by_seed else folder


@dataclass(frozen=True)
class Trial:
    """One condition at one seed, with all that `run` may use.

    Attributes:
        needs: for each needed experiment, the folder of the files that it kept.
        keep: folder in which this run may keep files for other experiments.
    """

    experiment: str
    scale: str
    condition: Mapping[str, Value]
    seed: int
    settings: Mapping[str, Value]
    needs: Mapping[str, Path]
    keep: Path

    @property
    def run_id(self) -> str:
        cells = [f"{name}={value}" for name, value in self.condition.items()]
        return "/".join([*cells, f"seed={self.seed}"])


@dataclass(frozen=True)
class Outcome:
    """The result of one trial.

    Attributes:
        metrics: a number for every metric of the experiment (NaN if a diverged run has none).
        curves: the (step, value) points of each curve, thinned to what a figure needs.
        views: views of a model (attention, samples, ...) by name, as plain JSON with the key
            "kind"; keep them small, since they are recorded with the tables.
        tokens: tokens trained on.
        peak_memory_mib: peak accelerator memory; if None, the runner reports the process's memory.
    """

    metrics: Mapping[str, float]
    curves: Mapping[str, Sequence[tuple[int, float]]] = field(default_factory=dict)
    views: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    status: Status = "completed"
    tokens: int = 0
    peak_memory_mib: float | None = None


@dataclass(frozen=True)
class Subject:
    """What was studied; a verdict holds for this subject only.

    Attributes:
        model: what was trained or simulated, in words.
        data: what it learned from, in words.
    """

    model: str
    data: str


@dataclass(frozen=True)
class Experiment:
    """One experiment.

    Attributes:
        name: the module's name, the folder's name, the chapter's name.
        question: id of the question in `chapters/hypotheses/questions.toml`.
        summary: one sentence for tables of experiments.
        selection_metric: metric that selects the best level of a tuned axis (never the compared
            metric).
        needs: experiments whose kept files this one reads, at the same scale.
        subject: what its verdicts hold for.
    """

    name: str
    title: str
    question: str
    summary: str
    axes: Sequence[Axis]
    metrics: Sequence[Metric]
    budgets: Mapping[str, Budget]
    run: Callable[[Trial], Outcome]
    curves: Sequence[Metric] = ()
    selection_metric: str | None = None
    needs: Sequence[str] = ()
    subject: Subject | None = None

    def conditions(self, scale: str) -> Iterable[dict[str, Value]]:
        """All conditions of one scale, in the order of the axes."""
        names = [axis.name for axis in self.axes]
        levels = [self.budgets[scale].conditions[name] for name in names]
        return (dict(zip(names, values, strict=True)) for values in itertools.product(*levels))

    def metric(self, name: str) -> Metric:
        return next(metric for metric in self.metrics if metric.name == name)

    def diverged(self, **outcome: object) -> Outcome:
        """The outcome of a run that diverged: NaN for every metric."""
        metrics = {metric.name: math.nan for metric in self.metrics}
        return Outcome(metrics=metrics, status="diverged", **outcome)

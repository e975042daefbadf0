"""Does a rerun agree with the recorded tables? Metric by metric, within its tolerance."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from llmlab.method.declare.catalog import catalog
from llmlab.method.declare.experiment import Metric
from llmlab.method.evidence.lookup import Evidence, fresh_evidence, recorded_evidence
from llmlab.method.project import Project


@dataclass(frozen=True)
class Difference:
    """One number of one run in both tables; `status` has no unit and tolerance 0."""

    run_id: str
    metric: str
    fresh: float | str
    recorded: float | str
    absolute: float
    tolerance: float

    @property
    def exists(self) -> bool:
        return self.absolute > 0

    @property
    def is_drift(self) -> bool:
        return self.absolute > self.tolerance

    @property
    def relative(self) -> float:
        """The difference as a multiple of what is tolerated."""
        if self.tolerance:
            return self.absolute / self.tolerance
        return math.inf if self.absolute else 0.0


@dataclass(frozen=True)
class Agreement:
    """How the fresh tables of an experiment compare with the recorded ones.

    Attributes:
        rows: runs in either table.
        compared: runs in both.
        missing: runs in one table only.
        worst: the difference that uses most of its tolerance; None if there is none.
        drifted: all differences above their tolerance.
        changes: what changed in code or budget since the tables were recorded.
    """

    experiment: str
    scale: str
    rows: int
    compared: int
    missing: tuple[str, ...]
    worst: Difference | None
    drifted: tuple[Difference, ...]
    changes: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        return not self.drifted and not self.missing


def compare(fresh: Evidence, recorded: Evidence) -> Agreement:
    """Compare every metric and the status of every run; times and memory are left out.

    Raises:
        LabError: a table is damaged.
    """
    new = {row["run_id"]: row for row in fresh.runs.to_dict("records")}
    old = {row["run_id"]: row for row in recorded.runs.to_dict("records")}
    both = [run_id for run_id in old if run_id in new]
    metrics = fresh.experiment.metrics
    differences = [d for run_id in both for d in _differences(new[run_id], old[run_id], metrics)]
    return Agreement(
        experiment=fresh.experiment.name,
        scale=fresh.scale,
        rows=len({*new, *old}),
        compared=len(both),
        missing=tuple(sorted({*new} ^ {*old})),
        worst=max((d for d in differences if d.exists), key=lambda d: d.relative, default=None),
        drifted=tuple(d for d in differences if d.is_drift),
        changes=recorded.changes,
    )


def reproduction(project: Project, scale: str = "smoke") -> list[Agreement]:
    """The comparison of each experiment that has both fresh and recorded tables at the scale."""
    pairs = [
        (fresh_evidence(project, name, scale), recorded_evidence(project, name, scale))
        for name in catalog()
    ]
    return [compare(fresh, recorded) for fresh, recorded in pairs if fresh and recorded]


def _differences(new: dict, old: dict, metrics: list[Metric]) -> Iterator[Difference]:
    run_id = new["run_id"]
    unequal = 0.0 if new["status"] == old["status"] else math.inf
    yield Difference(run_id, "status", new["status"], old["status"], unequal, 0.0)
    for metric in metrics:
        name = metric.name
        distance = _distance(new[name], old[name])
        yield Difference(run_id, name, new[name], old[name], distance, metric.tolerance)


def _distance(first: float, second: float) -> float:
    """The absolute difference; 0 between two equal values that are not finite."""
    if first == second or (math.isnan(first) and math.isnan(second)):
        return 0.0
    distance = abs(first - second)
    return math.inf if math.isnan(distance) else distance

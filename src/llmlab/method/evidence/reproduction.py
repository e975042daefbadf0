"""Compare a rerun with the recorded tables, metric by metric, within tolerances.

Tolerances come from the differences measured on other machines (see `drift`).
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from llmlab.method.declare.catalog import catalog
from llmlab.method.errors import LabError
from llmlab.method.evidence.drift import Drifts, learned, read_drifts, tolerance, write_drifts
from llmlab.method.evidence.lookup import Evidence, fresh_evidence, recorded_evidence
from llmlab.method.evidence.manifest import MANIFEST, read_manifest
from llmlab.method.locks import writing_results
from llmlab.method.project import Project


@dataclass(frozen=True)
class Difference:
    """One value of one run in both tables; `status` has tolerance 0."""

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
        """The difference as a multiple of its tolerance."""
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
        worst: the difference largest relative to its tolerance; None if there is none.
        drifted: all differences above their tolerance.
        largest: the largest difference of each metric.
        changes: changes in code or budget since the tables were recorded.
        versions: Python and libraries of other versions than recorded, as "python 3.11.2, recorded
            with 3.11.7".
    """

    experiment: str
    scale: str
    rows: int
    compared: int
    missing: tuple[str, ...]
    worst: Difference | None
    drifted: tuple[Difference, ...]
    largest: Mapping[str, float]
    changes: tuple[str, ...]
    versions: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        return not self.drifted and not self.missing


def compare(fresh: Evidence, recorded: Evidence, drifts: Drifts | None = None) -> Agreement:
    """Compare every metric and the status of every run, but not times and memory.

    Args:
        drifts: differences measured on other machines; None to use the tolerances that the
            experiment declares.

    Raises:
        LabError: a table is damaged.
    """
    new = {row["run_id"]: row for row in fresh.runs.to_dict("records")}
    old = {row["run_id"]: row for row in recorded.runs.to_dict("records")}
    both = [run_id for run_id in old if run_id in new]
    tolerated = tolerances(recorded, drifts or {}, starts_alike=_start_alike(fresh, recorded))
    differences = [d for run_id in both for d in _differences(new[run_id], old[run_id], tolerated)]
    return Agreement(
        experiment=fresh.experiment.name,
        scale=fresh.scale,
        rows=len({*new, *old}),
        compared=len(both),
        missing=tuple(sorted({*new} ^ {*old})),
        worst=max((d for d in differences if d.exists), key=lambda d: d.relative, default=None),
        drifted=tuple(d for d in differences if d.is_drift),
        largest={
            name: max(d.absolute for d in differences if d.metric == name)
            for name in dict.fromkeys(d.metric for d in differences)
        },
        changes=recorded.changes,
        versions=_other_versions(fresh.manifest.libraries, recorded.manifest.libraries),
    )


def explanation(agreements: Iterable[Agreement]) -> str:
    """Names the versions that may explain what differs; "" if there are none."""
    differing = [each for each in agreements if not each.agrees and each.versions]
    if not differing:
        return ""
    names = ", ".join(each.experiment for each in differing)
    versions = dict.fromkeys(version for each in differing for version in each.versions)
    said = f"What differs in {names} may come from other versions: {'; '.join(versions)}."
    if any(version.startswith("python ") for version in versions):
        said += " The corpus stdlib is the source of the Python that runs."
    return said


def _start_alike(fresh: Evidence, recorded: Evidence) -> bool:
    """Whether both read files of other experiments, and the same ones bit for bit."""
    needs = recorded.experiment.needs
    return bool(needs) and all(_kept(fresh, name) == _kept(recorded, name) for name in needs)


def _kept(evidence: Evidence, needed: str) -> Mapping[str, str]:
    """SHA-256 of each file that a needed experiment kept beside this evidence."""
    folder = evidence.folder.parent / needed
    return read_manifest(folder).kept if (folder / MANIFEST).is_file() else {}


def _other_versions(fresh: Mapping[str, str], recorded: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        f"{name} {fresh.get(name, 'missing')}, recorded with {version}"
        for name, version in recorded.items()
        if fresh.get(name) != version
    )


def reproduction(project: Project, scale: str = "smoke") -> list[Agreement]:
    """The comparison of each experiment that has both fresh and recorded tables at the scale.

    Tables of other columns than the experiment has now are left out.
    """
    drifts = read_drifts(project)
    pairs = [
        (fresh_evidence(project, name, scale), recorded_evidence(project, name, scale))
        for name in catalog()
    ]
    return [
        compare(fresh, recorded, drifts)
        for fresh, recorded in pairs
        if fresh and fresh.fits and recorded and recorded.fits
    ]


def drifted_rows(agreements: Iterable[Agreement]) -> list[str]:
    """All values that drifted and all missing runs, one line each."""
    return [
        *(
            f"{each.experiment} {drift.run_id}: {drift.metric} {drift.fresh} here, "
            f"{drift.recorded} recorded, tolerance {drift.tolerance:.3g}"
            for each in agreements
            for drift in each.drifted
        ),
        *(
            f"{each.experiment} {run_id}: in one table only"
            for each in agreements
            for run_id in each.missing
        ),
    ]


def tolerances(
    recorded: Evidence, drifts: Drifts, *, starts_alike: bool = False
) -> dict[str, float]:
    """How far each metric of an experiment may differ from the recorded value."""
    experiment = recorded.experiment
    return {
        metric.name: tolerance(
            drifts,
            recorded.scale,
            experiment.name,
            metric,
            recorded.runs[metric.name].dropna().to_numpy(),
            starts_alike=starts_alike,
        )
        for metric in experiment.metrics
    }


def learn(project: Project, fresh: Evidence) -> None:
    """Add the differences between fresh and recorded tables to `results/drift.csv`.

    Raises:
        LabError: nothing comparable is recorded, or a table does not come from the present code.
    """
    name, scale = fresh.experiment.name, fresh.scale
    recorded = recorded_evidence(project, name, scale)
    if recorded is None or recorded.changes or fresh.changes:
        raise LabError(
            f"the {scale} runs of {name} cannot show how far machines differ: both fresh and "
            "recorded runs of the present code are needed; run and record them first."
        )
    agreement = compare(fresh, recorded)
    seen = (
        ((scale, name, metric), difference)
        for metric, difference in agreement.largest.items()
        if metric != "status"
    )
    with writing_results(project):
        write_drifts(project, learned(read_drifts(project), seen))


def _differences(new: dict, old: dict, tolerated: Mapping[str, float]) -> Iterator[Difference]:
    run_id = new["run_id"]
    unequal = 0.0 if new["status"] == old["status"] else math.inf
    yield Difference(run_id, "status", new["status"], old["status"], unequal, 0.0)
    for name, allowed in tolerated.items():
        distance = _distance(new[name], old[name])
        yield Difference(run_id, name, new[name], old[name], distance, allowed)


def _distance(first: float, second: float) -> float:
    """The absolute difference; 0 between two equal values that are not finite."""
    if first == second or (math.isnan(first) and math.isnan(second)):
        return 0.0
    distance = abs(first - second)
    return math.inf if math.isnan(distance) else distance

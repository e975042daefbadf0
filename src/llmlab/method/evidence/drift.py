"""Tolerances of reruns, from the differences measured on other machines.

For each metric of each experiment, `results/drift.csv` has the largest difference seen between the
recorded runs and reruns on other processors and with other builds of the same libraries. A metric
that was never measured has the tolerance that its experiment declares, capped at half a standard
deviation over the rows of the table.

The cap holds for what was measured, too, where a rerun reads the recorded files of the experiments
that it needs, bit for bit. Another processor trains another base, and what starts from it differs
by as much as from seed to seed: only there is such a difference no error.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from llmlab.method.declare.experiment import Metric
from llmlab.method.evidence.records import read_records, write_records
from llmlab.method.project import Project

FACTOR = 4.0
"""An unmeasured machine may differ by this many times the largest measured difference."""

FLOAT_NOISE = 1e-5
"""Relative difference that another order of summation causes after some steps of training."""


LITTLE = 0.05
"""Any machine may differ by this share of the standard deviation over the rows of a table;
differences between conditions that matter are far larger."""


@dataclass(frozen=True)
class Drift:
    """The measured difference of one metric.

    Attributes:
        largest: largest difference between a rerun and the recorded run.
        reruns: number of tables compared.
    """

    scale: str
    experiment: str
    metric: str
    largest: float
    reruns: int


Key = tuple[str, str, str]
Drifts = Mapping[Key, Drift]
"""By scale, experiment and metric."""


def tolerance(
    drifts: Drifts,
    scale: str,
    experiment: str,
    metric: Metric,
    values: np.ndarray,
    *,
    starts_alike: bool = False,
) -> float:
    """How far two values of a metric may differ.

    Args:
        values: the metric in all rows of the recorded table, without gaps.
        starts_alike: whether both come from the same files of the experiments needed.
    """
    measured = drifts.get((scale, experiment, metric.name))
    spread = float(values.std()) if len(values) > 1 else 0.0
    cap = spread / 2 if spread else math.inf
    if measured is None:
        return min(metric.tolerance, cap)
    noise = FLOAT_NOISE * float(np.abs(values).max(initial=0.0))
    found = FACTOR * measured.largest + max(noise, _little(values, spread, metric.unit))
    return min(found, cap) if starts_alike else found


def _little(values: np.ndarray, spread: float, unit: str) -> float:
    """A difference far below those between conditions; for a share at least one item, if small."""
    steps = np.diff(np.unique(values))
    one_item = float(steps.min()) if unit == "share" and len(steps) else 0.0
    return max(LITTLE * spread, min(one_item, spread / 2))


def learned(drifts: Drifts, seen: Iterable[tuple[Key, float]]) -> dict[Key, Drift]:
    """Add one rerun to the drifts.

    Args:
        seen: for each metric, its largest difference in that rerun; not finite if a run diverged
            in only one table, which no tolerance can cover.
    """
    found = dict(drifts)
    for key, largest in seen:
        if not math.isfinite(largest):
            continue
        old = found.get(key, Drift(*key, largest=0.0, reruns=0))
        found[key] = replace(old, largest=max(old.largest, largest), reruns=old.reruns + 1)
    return found


def read_drifts(project: Project) -> dict[Key, Drift]:
    """Read the measured drifts; empty if there are none.

    Raises:
        LabError: a line is damaged.
    """
    found = read_records(_path(project), Drift)
    return {(each.scale, each.experiment, each.metric): each for each in found}


def write_drifts(project: Project, drifts: Drifts) -> None:
    """Write the measured drifts; errors as in `write_file`."""
    rows = (asdict(one) | {"largest": f"{one.largest:.3g}"} for _, one in sorted(drifts.items()))
    write_records(_path(project), Drift, rows)


def _path(project: Project) -> Path:
    return project.root / "results" / "drift.csv"

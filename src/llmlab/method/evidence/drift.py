"""How far a rerun may be from what is recorded: what other machines were measured to differ by.

`results/drift.csv` has for each metric of each experiment the largest difference that was seen
between the recorded runs and reruns on other processors and with other builds of the same
libraries. A metric that was never measured has the tolerance that its experiment declares, but no
more than half a standard deviation over the rows of the table.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from llmlab.method.declare.experiment import Metric
from llmlab.method.documents import first_mistake, in_one_line
from llmlab.method.errors import LabError
from llmlab.method.files import read_text, write_file
from llmlab.method.project import Project

FACTOR = 4.0
"""A machine that nobody measured may differ by so many times what those that were measured did."""

FLOAT_NOISE = 1e-5
"""Share of a number by which sums in another order differ after some steps of training."""


LITTLE = 0.05
"""Share of the standard deviation over the rows of a table that any machine may differ by: a
difference between conditions that matters is far larger."""


@dataclass(frozen=True)
class Drift:
    """What one metric was measured to differ by.

    Attributes:
        largest: difference between a rerun and the recorded run.
        reruns: tables that were compared.
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
    drifts: Drifts, scale: str, experiment: str, metric: Metric, values: np.ndarray
) -> float:
    """How far two values of a metric may differ.

    Args:
        values: of the metric in all rows of the recorded table, without gaps.
    """
    measured = drifts.get((scale, experiment, metric.name))
    spread = float(values.std()) if len(values) > 1 else 0.0
    if measured is None:
        return min(metric.tolerance, spread / 2) if spread else metric.tolerance
    noise = FLOAT_NOISE * float(np.abs(values).max(initial=0.0))
    return FACTOR * measured.largest + max(noise, _little(values, spread, metric.unit))


def _little(values: np.ndarray, spread: float, unit: str) -> float:
    """What is far less than conditions differ by; of a share one item, if that is little enough."""
    steps = np.diff(np.unique(values))
    one_item = float(steps.min()) if unit == "share" and len(steps) else 0.0
    return max(LITTLE * spread, min(one_item, spread / 2))


def learned(drifts: Drifts, seen: Iterable[tuple[Key, float]]) -> dict[Key, Drift]:
    """The drifts with one more rerun.

    Args:
        seen: for each metric its largest difference in that rerun; not finite where a run diverged
            in one table only, which no tolerance can hold.
    """
    found = dict(drifts)
    for key, largest in seen:
        if not math.isfinite(largest):
            continue
        old = found.get(key, Drift(*key, largest=0.0, reruns=0))
        found[key] = replace(old, largest=max(old.largest, largest), reruns=old.reruns + 1)
    return found


def read_drifts(project: Project) -> dict[Key, Drift]:
    """What is measured; empty if nothing is.

    Raises:
        LabError: a line is damaged.
    """
    path = _path(project)
    if not path.is_file():
        return {}
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(path))))
        found = TypeAdapter(list[Drift]).validate_python(rows)
    except ValidationError as error:
        raise _damaged(path, first_mistake(error)) from error
    except csv.Error as error:
        raise _damaged(path, in_one_line(error)) from error
    return {(each.scale, each.experiment, each.metric): each for each in found}


def _damaged(path: Path, cause: str) -> LabError:
    return LabError(f"{path} is damaged ({cause}): restore it from git.")


def write_drifts(project: Project, drifts: Drifts) -> None:
    """Write what is measured; errors as `write_file`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [each.name for each in fields(Drift)], lineterminator="\n")
    writer.writeheader()
    for _, drift in sorted(drifts.items()):
        writer.writerow(asdict(drift) | {"largest": f"{drift.largest:.3g}"})
    write_file(_path(project), text.getvalue())


def _path(project: Project) -> Path:
    return project.root / "results" / "drift.csv"

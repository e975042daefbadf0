import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd
import pytest

from llmlab.method.declare.experiment import Budget, Experiment, Metric
from llmlab.method.evidence.drift import learned
from llmlab.method.evidence.lookup import fresh_evidence, recorded_evidence
from llmlab.method.evidence.manifest import MANIFEST, read_manifest
from llmlab.method.evidence.recording import record
from llmlab.method.evidence.reproduction import compare, explanation, reproduction
from llmlab.method.running.runner import run_experiment

TOY = Experiment(
    name="toy",
    title="A toy",
    question="Q-TOY",
    summary="Draws numbers.",
    axes=(),
    metrics=(
        Metric("loss", "Loss.", "nats", tolerance=0.1),
        Metric("accuracy", "Accuracy.", "share", tolerance=0.0),
    ),
    budgets={"smoke": Budget({}, seeds=2)},
    run=lambda trial: None,
)


@dataclass(frozen=True)
class Made:
    """As much of a manifest as a comparison looks at."""

    libraries: Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """As much of an Evidence as a comparison looks at."""

    runs: pd.DataFrame
    manifest: Made = Made({"python": "3.11.7", "torch": "2.13.0"})
    experiment: Experiment = TOY
    scale: str = "smoke"
    changes: tuple[str, ...] = field(default=())


def table(*rows: tuple[float, float], status: str = "completed", first: int = 0) -> Table:
    return Table(
        pd.DataFrame(
            {
                "run_id": [f"seed={first + seed}" for seed in range(len(rows))],
                "loss": [loss for loss, _ in rows],
                "accuracy": [accuracy for _, accuracy in rows],
                "status": status,
            }
        )
    )


def test_equal_tables_agree() -> None:
    found = compare(table((0.5, 1.0), (0.6, 0.9)), table((0.5, 1.0), (0.6, 0.9)))
    assert found.agrees
    assert (found.rows, found.compared, found.worst) == (2, 2, None)


def test_the_worst_difference_is_the_one_that_uses_most_of_its_tolerance() -> None:
    found = compare(table((0.52, 1.0), (0.605, 0.9)), table((0.5, 1.0), (0.6, 0.9)))
    assert found.agrees
    assert (found.worst.run_id, found.worst.metric) == ("seed=0", "loss")
    assert found.worst.absolute == pytest.approx(0.02)
    assert found.worst.tolerance == pytest.approx(0.025)


def test_a_difference_above_its_tolerance_is_drift() -> None:
    found = compare(table((0.75, 1.0)), table((0.5, 0.99)))
    assert not found.agrees
    assert [d.metric for d in found.drifted] == ["loss", "accuracy"]
    assert found.worst.metric == "accuracy"


@pytest.mark.parametrize(
    ("libraries", "explained"),
    [
        (
            {"python": "3.11.2", "torch": "2.13.0"},
            "python 3.11.2, recorded with 3.11.7. The corpus",
        ),
        ({"python": "3.11.7"}, "torch missing, recorded with 2.13.0."),
    ],
)
def test_other_versions_are_named_where_tables_differ(
    libraries: dict[str, str], explained: str
) -> None:
    recorded, same, other = (table((loss, 1.0)) for loss in (0.5, 0.5, 0.9))
    agreements = [
        compare(replace(fresh, manifest=Made(libraries)), recorded) for fresh in (same, other)
    ]
    assert explanation(agreements[:1]) == ""
    assert explained in explanation(agreements)


def test_runs_in_one_table_only_are_named() -> None:
    found = compare(table((0.5, 1.0), (0.5, 1.0)), table((0.5, 1.0), (0.5, 1.0), first=1))
    assert not found.agrees
    assert found.missing == ("seed=0", "seed=2")
    assert (found.rows, found.compared) == (3, 1)


@pytest.mark.parametrize(
    ("fresh", "recorded", "agrees"),
    [
        (math.nan, math.nan, True),
        (math.inf, math.inf, True),
        (math.nan, 0.5, False),
        (math.inf, math.nan, False),
    ],
)
def test_values_that_are_not_finite_agree_only_with_their_like(
    fresh: float, recorded: float, agrees: bool
) -> None:
    assert compare(table((fresh, 1.0)), table((recorded, 1.0))).agrees == agrees


def test_a_run_that_diverged_only_once_is_drift() -> None:
    found = compare(table((0.5, 1.0), status="diverged"), table((0.5, 1.0)))
    assert [d.metric for d in found.drifted] == ["status"]


def test_a_rerun_of_recorded_code_agrees_and_other_code_is_said(lab) -> None:
    run_experiment(lab.add(), "smoke", lab.project)
    record(lab.project, "toy", "smoke")
    (same,) = reproduction(lab.project)
    assert same.agrees
    toy = lab.edit("toy", '{"loss": draw()}', '{"loss": 2 + draw()}')
    run_experiment(toy, "smoke", lab.project)
    (other,) = reproduction(lab.project)
    assert len(other.drifted) == 4
    assert other.changes == ("run",)


def test_what_was_never_recorded_is_not_compared(lab) -> None:
    run_experiment(lab.add(), "smoke", lab.project)
    assert reproduction(lab.project) == []


def test_only_what_starts_from_other_files_may_differ_as_machines_do(lab) -> None:
    lab.add(name="base")
    lab.add()
    lab.edit("toy", "run=run", 'run=run, needs=["base"]')
    for name in ("base", "toy"):
        run_experiment(lab.load(name), "smoke", lab.project)
        record(lab.project, name, "smoke")
    drifts = learned({}, [(("smoke", "toy", "loss"), 1.0)])
    fresh, recorded = (
        look(lab.project, "toy", "smoke") for look in (fresh_evidence, recorded_evidence)
    )
    vars(fresh)["runs"] = fresh.runs.assign(loss=fresh.runs["loss"] + 0.9)
    assert {each.metric for each in compare(fresh, recorded, drifts).drifted} == {"loss"}
    manifest = lab.project.fresh("smoke", "base") / MANIFEST
    kept = read_manifest(manifest.parent).kept["0.txt"]
    manifest.write_text(manifest.read_text().replace(kept, "0" * 64))
    assert compare(fresh, recorded, drifts).agrees

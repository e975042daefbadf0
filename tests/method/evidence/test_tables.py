import dataclasses
from pathlib import Path

import pytest
from fuzzing import assert_survives, mutated_bytes, put_behind_digest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from llmlab.method.checksums import file_sha256
from llmlab.method.declare.experiment import Axis, Budget, Experiment, Metric, Trial
from llmlab.method.errors import LabError
from llmlab.method.evidence.fingerprint import Fingerprint
from llmlab.method.evidence.manifest import Manifest, write_manifest
from llmlab.method.evidence.tables import (
    CURVES,
    CURVES_SCHEMA,
    RUNS,
    curves_frame,
    level_type,
    read_curves,
    read_runs,
    runs_frame,
    runs_schema,
    write_curves,
    write_runs,
)


def experiment(levels=(1e-05, 1), metrics=("loss",)) -> Experiment:
    return Experiment(
        name="toy",
        title="A toy",
        question="Q-TOY",
        summary="Draws numbers.",
        axes=(Axis("level", "What is varied.", "tokens"),),
        metrics=[Metric(name, "Loss.", "nats") for name in metrics],
        budgets={"smoke": Budget({"level": levels}, seeds=1)},
        run=lambda trial: None,
    )


def row(level=1e-05, seed=0, loss=0.5, **others) -> dict:
    trial = Trial("toy", "smoke", {"level": level}, seed, {}, {}, Path())
    timing = {"status": "completed", "seconds": 1.5, "tokens": 7, "peak_memory_mib": 20.0}
    cells = {"run_id": trial.run_id, "level": level, "seed": seed, "loss": loss}
    return cells | timing | others


def written(folder: Path, toy: Experiment, rows: list[dict], points=()) -> Path:
    """A folder with both tables and their manifest."""
    write_runs(folder, runs_frame(toy, rows))
    write_curves(folder, curves_frame(points))
    sha256 = {name: file_sha256(folder / name) for name in (RUNS, CURVES)}
    no_code = Fingerprint("", "", {})
    text = dict.fromkeys(["git_commit", "command", "started", "finished", "host", "device"], "")
    manifest = Manifest(
        experiment="toy",
        scale="smoke",
        fingerprint=no_code,
        git_dirty=False,
        libraries={},
        seeds=(0,),
        rows=len(rows),
        sha256=sha256,
        **text,
    )
    write_manifest(folder, manifest)
    return folder


any_float = st.floats(allow_subnormal=True)
printable = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1)


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(losses=st.lists(any_float, min_size=50), level=any_float.filter(lambda x: x == x))
def test_every_float_comes_back_as_it_was(tmp_path: Path, losses: list[float], level) -> None:
    toy = experiment(levels=(level,))
    rows = [row(level, seed, loss) for seed, loss in enumerate(losses)]
    folder = written(tmp_path, toy, rows)
    assert_frame_equal(read_runs(folder, toy), runs_frame(toy, rows), check_exact=True)


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(printable, min_size=50, unique=True))
def test_every_word_comes_back_as_it_was(tmp_path: Path, words: list[str]) -> None:
    levels = list(dict.fromkeys(["None", "NA", "nan", "1", 'a,"b"', "alpha/r", *words]))
    toy = experiment(levels=levels)
    folder = written(tmp_path, toy, list(map(row, levels)))
    assert read_runs(folder, toy)["level"].tolist() == levels


@pytest.mark.parametrize(
    ("levels", "kind"),
    [
        ([1, 2], int),
        ([True, False], bool),
        ([1, 0.5], float),
        (["a", "b"], str),
        ([1, "all"], str),
        ([True, 2], str),
    ],
)
def test_an_axis_has_the_narrowest_type_that_fits(tmp_path: Path, levels, kind: type) -> None:
    toy = experiment(levels)
    rows = [row(level) for level in levels]
    assert level_type(toy, "level") is kind
    back = read_runs(written(tmp_path, toy, rows), toy)
    assert back["level"].tolist() == [kind(level) for level in levels]


def test_curves_come_back_as_they_were(tmp_path: Path) -> None:
    points = [("seed=0", "loss", 0, 2.5), ("seed=0", "loss", 10, float("nan"))]
    folder = written(tmp_path, experiment(), [row()], points)
    assert_frame_equal(read_curves(folder), curves_frame(points))


def test_every_column_has_a_unit_and_a_description() -> None:
    for schema in (runs_schema(experiment()), CURVES_SCHEMA):
        for column in schema.columns.values():
            assert column.description.endswith(".")
            assert column.metadata["unit"]


def test_columns_stand_in_their_order() -> None:
    assert list(runs_schema(experiment(metrics=("loss", "accuracy"))).columns) == [
        *("run_id", "level", "seed", "loss", "accuracy"),
        *("status", "seconds", "tokens", "peak_memory_mib"),
    ]


@pytest.mark.parametrize("table", [RUNS, CURVES])
@pytest.mark.parametrize("damage", [lambda data: data[:-4], lambda data: data + b" "])
def test_a_table_that_was_cut_or_edited_is_named(tmp_path: Path, table: str, damage) -> None:
    folder = written(tmp_path, experiment(), [row()])
    path = folder / table
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(LabError, match=rf"{path} was cut short or edited.*restore it"):
        read_runs(folder, experiment()) if table == RUNS else read_curves(folder)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    folder = written(tmp_path, experiment(), [row()])
    (folder / RUNS).unlink()
    with pytest.raises(LabError, match=r"runs.csv is missing; restore it or run"):
        read_runs(folder, experiment())


def test_columns_of_another_declaration_are_named(tmp_path: Path) -> None:
    folder = written(tmp_path, experiment(), [row()])
    with pytest.raises(LabError, match=r"missing: accuracy; extra: loss\); run the experiment"):
        read_runs(folder, experiment(metrics=("accuracy",)))


@pytest.mark.parametrize(
    "wrong", [{"status": "finished"}, {"seconds": -1.0}, {"tokens": -1}, {"seed": -1}]
)
def test_a_value_that_does_not_fit_its_column_is_refused(wrong: dict) -> None:
    with pytest.raises(LabError, match=f"does not fit its schema.*{next(iter(wrong))}"):
        runs_frame(experiment(), [row() | wrong])


def test_two_rows_of_one_run_are_refused() -> None:
    with pytest.raises(LabError, match="run_id"):
        runs_frame(experiment(), [row(), row()])


def test_a_diverged_run_is_a_row(tmp_path: Path) -> None:
    toy = experiment()
    rows = [row(loss=float("nan"), status="diverged")]
    assert read_runs(written(tmp_path, toy, rows), toy)["loss"].isna().all()


def test_the_description_of_a_metric_is_in_the_schema() -> None:
    toy = experiment()
    worded = dataclasses.replace(toy, metrics=[Metric("loss", "Loss of the end.", "nats")])
    assert runs_schema(worded).columns["loss"].description == "Loss of the end."


@pytest.mark.parametrize("table", [RUNS, CURVES])
def test_fuzz_tables_behind_a_mended_digest(tmp_path: Path, table: str) -> None:
    folder = written(tmp_path, experiment(), [row()])
    valid = (folder / table).read_bytes()

    def read(content: bytes) -> None:
        put_behind_digest(folder, table, content)
        read_runs(folder, experiment()) if table == RUNS else read_curves(folder)

    assert_survives(read, lambda draw: mutated_bytes(valid, draw))

import json
import math
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.tensorboard import SummaryWriter

from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.curves.readers import Run, canonical, read_runs
from llmlab.method.errors import LabError

TRAINING = Curve.of([(0, 3.0), (10, 2.0), (20, 1.5)])
VALIDATION = Curve.of([(0, 3.1), (20, 1.75)])


def only(path: Path) -> Run:
    (run,) = read_runs(path)
    return run


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def lines(*events: dict) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


LOG = (
    {"event": "run", "seed": 0},
    *(
        {"event": "point", "step": s, "loss": v, "gradient_norm": 1.0, "tokens": 3}
        for s, v in zip(TRAINING.steps, TRAINING.values, strict=True)
    ),
    *(
        {"event": "validation", "step": s, "loss": v}
        for s, v in zip(VALIDATION.steps, VALIDATION.values, strict=True)
    ),
    {"event": "saved", "step": 20, "folder": "somewhere"},
)


def test_a_log_gives_both_losses(tmp_path: Path) -> None:
    run = only(write(tmp_path / "log.jsonl", lines(*LOG)))
    assert (run.curves["loss"], run.curves["validation_loss"]) == (TRAINING, VALIDATION)


def test_a_folder_of_a_run_stands_for_its_log(tmp_path: Path) -> None:
    folder = tmp_path / "micro-stdlib"
    folder.mkdir()
    write(folder / "log.jsonl", lines(*LOG))
    assert only(folder).name == "micro-stdlib"


def test_a_log_that_a_kill_cut_short_is_read_to_there(tmp_path: Path) -> None:
    cut = lines(*LOG[:4]) + '{"event": "point", "st'
    assert only(write(tmp_path / "log.jsonl", cut)).curves["loss"] == TRAINING


def test_a_loss_that_is_not_finite_stands_in_a_log_by_name(tmp_path: Path) -> None:
    log = lines(LOG[1], {"event": "diverged", "step": 1, "loss": "nan", "gradient_norm": "inf"})
    assert math.isnan(only(write(tmp_path / "log.jsonl", log)).curves["loss"].values[1])


def test_a_csv_has_a_curve_in_each_column(tmp_path: Path) -> None:
    text = "Step,Train Loss,val/loss,host\n0,3.0,3.1,a\n10,2.0,,a\n20,1.5,1.75,b\n"
    run = only(write(tmp_path / "run.csv", text))
    assert run.curves == {"loss": TRAINING, "validation_loss": VALIDATION}


def test_nan_in_a_csv_is_a_value(tmp_path: Path) -> None:
    run = only(write(tmp_path / "run.csv", "step,loss\n0,3.0\n1,nan\n"))
    assert math.isnan(run.curves["loss"].values[1])


def test_a_csv_in_long_form_has_several_runs(tmp_path: Path) -> None:
    text = "run_id,metric,step,value\na,loss,0,3\nb,loss,0,4\na,loss,1,2\n"
    first, second = read_runs(write(tmp_path / "curves.csv", text))
    assert first == Run("a", {"loss": Curve.of([(0, 3.0), (1, 2.0)])})
    assert second.name == "b"


def test_our_table_has_a_run_for_each_id(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        [("a/seed=0", "loss", 0, 3.0), ("a/seed=0", "loss", 1, 2.0), ("a/seed=1", "loss", 0, 3.5)],
        columns=["run_id", "metric", "step", "value"],
    )
    frame.to_parquet(tmp_path / "curves.parquet")
    assert [run.name for run in read_runs(tmp_path / "curves.parquet")] == ["a/seed=0", "a/seed=1"]


def test_event_files_of_tensorboard_are_read(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        for step, loss in zip(TRAINING.steps, TRAINING.values, strict=True):
            writer.add_scalar("train/loss", loss, step)
        for step, loss in zip(VALIDATION.steps, VALIDATION.values, strict=True):
            writer.add_scalar("eval/loss", loss, step)
    curves = only(tmp_path).curves
    assert curves["loss"] == TRAINING
    assert curves["validation_loss"].values == pytest.approx(VALIDATION.values)


def test_new_style_scalars_of_tensorboard_are_read(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("loss", 3.0, 0, new_style=True)
    assert only(tmp_path).curves["loss"] == Curve.of([(0, 3.0)])


def test_an_event_file_that_was_cut_is_read_to_there(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(50):
            writer.add_scalar("loss", 1.0, step)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-15])
    assert only(tmp_path).curves["loss"].steps == tuple(range(49))


@pytest.mark.parametrize("place", [9, 200, 300, 700])
def test_only_the_damaged_record_of_an_event_file_is_lost(tmp_path: Path, place: int) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(20):
            writer.add_scalar("loss", 1.0, step)
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    content[place] ^= 0xFF
    file.write_bytes(content)
    run = only(tmp_path)
    assert len(run.curves["loss"]) == (20 if place == 9 else 19)
    (note,) = run.notes
    assert note.startswith("left out once: a damaged or cut part, in events.out.tfevents")


STATE = {
    "global_step": 20,
    "log_history": [
        {"epoch": 0.0, "grad_norm": 2.0, "learning_rate": 1e-4, "loss": 3.0, "step": 0},
        {"epoch": 0.0, "eval_loss": 3.1, "eval_runtime": 1.0, "step": 0},
        {"epoch": 0.5, "grad_norm": 1.5, "learning_rate": 1e-4, "loss": 2.0, "step": 10},
        {"epoch": 1.0, "grad_norm": 1.0, "learning_rate": 1e-4, "loss": 1.5, "step": 20},
        {"epoch": 1.0, "eval_loss": 1.75, "eval_runtime": 1.0, "step": 20},
        {"epoch": 1.0, "step": 20, "total_flos": 1.0, "train_loss": 2.2, "train_runtime": 9.0},
    ],
}


def test_the_state_of_a_trainer_gives_both_losses(tmp_path: Path) -> None:
    run = only(write(tmp_path / "trainer_state.json", json.dumps(STATE)))
    assert (run.curves["loss"], run.curves["validation_loss"]) == (TRAINING, VALIDATION)


def test_of_two_values_at_a_step_the_last_counts(tmp_path: Path) -> None:
    run = only(write(tmp_path / "run.csv", "step,loss\n0,3\n1,2\n1,9\n"))
    assert run.curves["loss"] == Curve.of([(0, 3.0), (1, 9.0)])


@given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(allow_nan=False)), min_size=1))
def test_a_csv_gives_back_what_was_written(tmp_path_factory, points) -> None:
    path = tmp_path_factory.mktemp("csv") / "run.csv"
    by_step = dict(points)
    write(path, "step,loss\n" + "".join(f"{step},{value!r}\n" for step, value in by_step.items()))
    assert only(path).curves["loss"] == Curve.of(sorted(by_step.items()))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("train/loss", "loss"),
        ("Eval Loss", "validation_loss"),
        ("val-loss", "validation_loss"),
        ("grad_norm", "gradient_norm"),
        ("accuracy", "accuracy"),
    ],
)
def test_names_of_others_are_known(theirs: str, ours: str) -> None:
    assert canonical(theirs) == ours


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("run.csv", b"", "is empty"),
        ("run.csv", b"phase,loss\n1,2\n", "no column of steps"),
        ("run.csv", b"step,loss\n0,3\n1,abc\n", "line 3: 'abc' in the column 'loss' is no number"),
        ("run.csv", b"step,loss\n", "holds no curve"),
        ("run.csv", b"step,loss\n1,2,3,4\n1,2\n", "line 2: it has 4 cells"),
        ("run.csv", b"\xff\xfe\x00", "is no text in UTF-8: it is UTF-16"),
        ("log.jsonl", b'{"event": \n{"event": "run"}\n', "line 1"),
        ("log.jsonl", b'{"event": "run"}\n', "holds no curve"),
        ("trainer_state.json", b'{"log_history": [', "is no whole JSON file"),
        ("trainer_state.json", b'{"epoch": 1}', "has no 'log_history'"),
        ("trainer_state.json", b"[]", "has no 'log_history'"),
        ("curves.parquet", b"PAR1 and then nothing", "is no whole parquet file"),
        ("events.out.tfevents.1", b"not an event file at all", "event file"),
        ("notes.txt", b"a loss of 3", "is of no form"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(LabError) as raised:
        read_runs(path)
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_table_without_curves_names_the_column_that_is_missing(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "runs.parquet")
    with pytest.raises(LabError, match="no column 'run_id'"):
        read_runs(tmp_path / "runs.parquet")


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="there is no file"):
        read_runs(tmp_path / "run.csv")


def test_a_folder_without_curves_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="holds neither"):
        read_runs(tmp_path)

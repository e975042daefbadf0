import json
import math
import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from torch.utils.tensorboard import SummaryWriter

from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.curves.names import canonical
from llmlab.finetune.curves.readers import Run, read_runs
from llmlab.finetune.curves.tfrecords import records
from llmlab.method.errors import LabError
from llmlab.method.evidence.tables import write_curves

TRAINING = Curve.of([(0, 3.0), (10, 2.0), (20, 1.5)])
VALIDATION = Curve.of([(0, 3.1), (20, 1.75)])


def only(path: Path) -> Run:
    (run,) = read_runs(path)
    return run


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
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


@pytest.mark.parametrize(
    ("validation", "kept"),
    [
        (("nan", "3", "nan", "nan", "2", "nan", "nan", "1"), [3, 2, 1]),  # a frame of pandas
        (("3", "2", "nan", "nan", "nan", "nan", "nan", "nan"), 8),  # a run that diverged
        (("3", "2", "nan", "2", "nan", "1", "1", "1"), 8),  # nan now and then
        (("nan", "nan", "nan", "nan", "nan", "3", "2", "1"), 8),  # nan at first
    ],
)
def test_nan_between_rare_numbers_is_an_empty_cell(
    tmp_path: Path, validation: tuple[str, ...], kept: list[float] | int
) -> None:
    rows = "".join(f"{step},2,{value}\n" for step, value in enumerate(validation))
    run = only(write(tmp_path / "run.csv", f"step,loss,val_loss\n{rows}"))
    values = run.curves["validation_loss"].values
    said = "nan between the numbers of val_loss is taken for an empty cell"
    assert (list(values) == kept) if isinstance(kept, list) else (len(values) == kept)
    assert (said in run.notes) == isinstance(kept, list)


@pytest.mark.parametrize(
    "text",
    [
        "Step;Training Loss\r\n0;3,0\r\n10;2,0\r\n20;1,5\r\n",
        "Step,Training Loss,Validation Loss\n0,3.0,No log\n10,2.0,No log\n20,1.5,No log\n",
        '"train/global_step","a-1 - train/loss"\n"0","3.0"\n"10","2"\n"20","1.5"\n',
        "step,train/CrossEntropyLoss\n0,3.0\n10,2.0\n20,1.5\n",
        "# seed 3\n# host, rank\nstep,loss,lr\n0,3.0,1\n10,2.0,1\n20,1.5,1\n",
        "# step,loss\n0,3.0\n10,2.0\n20,1.5\n",
        "step,loss\n0,3.0\n10,2.0\nstep,loss\n20,1.5\n",
    ],
    ids=[
        *("decimal commas", "table of a notebook", "W&B", "OLMo"),
        *("comments", "numpy", "a header for each session"),
    ],
)
def test_tables_of_others_are_read(tmp_path: Path, text: str) -> None:
    assert only(write(tmp_path / "run.csv", text)).curves["loss"] == TRAINING


def test_a_step_may_have_commas_between_its_thousands(tmp_path: Path) -> None:
    run = only(write(tmp_path / "run.csv", 'step,loss\n900,3.0\n"1,000",2.0\n"1,100,000",1\n'))
    assert run.curves["loss"] == Curve.of([(900, 3.0), (1000, 2.0), (1_100_000, 1.0)])


@pytest.mark.parametrize(
    ("rows", "steps", "value"),
    [
        ("900;3,5\n1.000;2\n1.100.000;1\n", (900, 1000, 1_100_000), 3.5),
        ("900;1.250,5\n1.000;2\n1.100;1\n", (900, 1000, 1100), 1250.5),
        ("1.000;2,5\n2.000;0.125\n", (1, 2), 2.5),  # a point that parts no thousands
        ("1.000;2.5\n2.000;2\n", (1, 2), 2.5),  # no comma
    ],
)
def test_beside_decimal_commas_points_part_thousands(
    tmp_path: Path, rows: str, steps: tuple[int, ...], value: float
) -> None:
    found = only(write(tmp_path / "run.csv", f"step;loss\n{rows}")).curves["loss"]
    assert found.steps == steps
    assert found.values[0] == value


@pytest.mark.parametrize("name", ["run_id", "Run"])
def test_a_csv_in_long_form_has_several_runs(tmp_path: Path, name: str) -> None:
    text = f"{name},metric,step,value\na,loss,0,3\nb,loss,0,4\na,loss,1,2\n"
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


def test_a_parquet_of_others_has_a_curve_in_each_column(tmp_path: Path) -> None:
    history = {"_step": [0, 10, 20], "_timestamp": [1.5, 2.5, 3.5], "train/loss": TRAINING.values}
    history |= {"eval/loss": [3.1, None, 1.75], "samples": [{"a": 1}] * 3}
    pd.DataFrame(history).to_parquet(tmp_path / "history.parquet")
    run = only(tmp_path / "history.parquet")
    assert run.curves == {"loss": TRAINING, "validation_loss": VALIDATION}
    assert run.notes == ("left out: samples (no numbers)",)


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


def test_values_that_others_at_their_step_replace_are_counted(tmp_path: Path) -> None:
    text = lines(*({"step": s, "loss": s + rank} for s in range(5) for rank in (0, 1)))
    run = only(write(tmp_path / "two_ranks.jsonl", text))
    assert run.curves["loss"].values == (1, 2, 3, 4, 5)
    assert run.notes == (
        "5 steps of loss have several values, one after another: the last is read",
    )


def csv_of(steps: Iterable[int]) -> str:
    return "step,loss\n" + "".join(f"{step},{place}\n" for place, step in enumerate(steps))


@pytest.mark.parametrize(
    ("steps", "kept"),
    [
        # resumed after step 25: the steps that are written do not meet those before
        ([10, 20, 30, 40, 50, 35, 45, 55], [10, 20, 30, 35, 45, 55]),
        ([10, 20, 30, 40, 50, 60, 70, 5, 15, 25], [5, 15, 25]),
        # one row out of order is no resume, and neither is a table in any other order
        ([10, 20, 40, 30, 50, 60], [10, 20, 30, 40, 50, 60]),
        ([10, 20, 30, 40, 60, 50], [10, 20, 30, 40, 50, 60]),
        ([60, 50, 40, 30, 20, 10], [10, 20, 30, 40, 50, 60]),
        ([30, 50, 10, 60, 20, 40], [10, 20, 30, 40, 50, 60]),
    ],
)
def test_a_resumed_run_need_not_meet_its_former_steps(
    tmp_path: Path, steps: list[int], kept: list[int]
) -> None:
    run = only(write(tmp_path / "run.csv", csv_of(steps)))
    assert list(run.curves["loss"].steps) == kept
    assert bool(run.notes) == (len(kept) < len(steps))


def test_a_counter_of_steps_that_begins_again_is_another_course(tmp_path: Path) -> None:
    first = "".join(f"{step},{9 - step}\n" for step in range(6))
    run = only(write(tmp_path / "run.csv", f"step,loss\n{first}3,7\n4,5\n"))
    assert run.curves["loss"].values == (9.0, 8.0, 7.0, 7.0, 5.0)
    assert run.notes == (
        "the steps of loss go back, as after a resume or a restart: 2 points that were written "
        "before, from there on, are left out",
    )


def test_a_table_in_a_folder_whose_name_is_no_utf_8_is_read(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    columns = {"run_id": "a", "metric": "loss", "step": range(3), "value": [3.0, 2.0, 1.0]}
    write_curves(folder, pd.DataFrame(columns))
    assert only(folder / "curves.parquet").curves["loss"].values == (3.0, 2.0, 1.0)


def test_two_runs_of_weights_and_biases_are_two(tmp_path: Path) -> None:
    header = '"Step","a - loss","a - loss__MIN","b - loss","b - loss__MAX"\n'
    rows = "".join(f'"{step}","{9 - step}","0","{8 - step}","99"\n' for step in range(3))
    runs = read_runs(write(tmp_path / "wandb.csv", header + rows))
    assert [(run.name, run.curves["loss"].values) for run in runs] == [
        ("a", (9.0, 8.0, 7.0)),
        ("b", (8.0, 7.0, 6.0)),
    ]
    assert not any("loss__M" in name for run in runs for name in run.curves)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("run_id,key,value,step,timestamp", "abc"),
        ("Run ID,metric,Value,Step,Timestamp", "abc"),
        ("nothing,key,value,step,timestamp", "mlflow.csv"),
    ],
)
def test_a_table_of_mlflow_has_a_row_for_each_point(tmp_path: Path, header, name) -> None:
    rows = "".join(f"abc,train_loss,{9 - step},{step},1700000000000\n" for step in range(3))
    run = only(write(tmp_path / "mlflow.csv", f"{header}\n{rows}"))
    assert (run.name, run.curves["loss"].values) == (name, (9.0, 8.0, 7.0))


def test_nan_at_every_second_step_is_an_empty_cell(tmp_path: Path) -> None:
    rows = "".join(f"{step},{'nan' if step % 2 else 9 - step}\n" for step in range(8))
    run = only(write(tmp_path / "run.csv", f"step,loss\n{rows}"))
    assert run.curves["loss"].steps == (0, 2, 4, 6)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(allow_nan=False)), min_size=1))
def test_a_csv_gives_back_what_was_written(tmp_path_factory, points) -> None:
    path = tmp_path_factory.mktemp("csv") / "run.csv"
    by_step = dict(sorted(points))
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
        (
            "run.csv",
            b"step,loss\n0,3\n1,abc\n",
            "line 3: 'abc' in the column 'loss' is not a number",
        ),
        ("run.csv", b"step,loss\n", "holds no curve"),
        ("run.csv", b"step,loss\n1,2,3,4\n1,2\n", "line 2: it has 4 cells"),
        ("run.csv", b"\xff\xfe\x00", "is not UTF-8 text: it is UTF-16"),
        ("log.jsonl", b'{"event": \n{"event": "run"}\n', "line 1"),
        ("log.jsonl", b'{"event": "run"}\n', "holds no curve"),
        ("trainer_state.json", b'{"log_history": [', "is not a complete JSON file"),
        ("trainer_state.json", b'{"epoch": 1}', "has no 'log_history'"),
        ("trainer_state.json", b"[]", "has no 'log_history'"),
        ("curves.parquet", b"PAR1 and then nothing", "is not a complete parquet file"),
        ("events.out.tfevents.1", b"not an event file at all", "event file"),
        ("notes.md", b"a loss of 3", "has a form that is not read"),
        ("notes.txt", b"a loss of 3", "holds no curve"),
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


SECONDS = iter(range(1, 100))


def events(folder: Path, tag: str, points: Iterable[tuple[int, float]], suffix: str = "") -> None:
    """One more event file in the folder, later than those before."""
    writer = EventFileWriter(str(folder), filename_suffix=suffix)
    began = next(SECONDS)
    for step, value in points:
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
        writer.add_event(Event(wall_time=began, step=step, summary=summary))
    writer.close()


@pytest.mark.parametrize("suffixes", [(".0", ".1"), (".1", ".0")])
def test_a_resumed_run_goes_on_in_its_second_event_file(tmp_path: Path, suffixes) -> None:
    events(tmp_path, "train/loss", [(0, 4.0), (10, 3.0), (20, 2.0), (25, 1.9)], suffixes[0])
    events(tmp_path, "train/loss", [(20, 2.5), (30, 9.0)], suffixes[1])
    run = only(tmp_path)
    assert run.curves["loss"] == Curve.of([(0, 4.0), (10, 3.0), (20, 2.5), (30, 9.0)])
    assert run.notes == (
        "2 event files are read as one run; 2 points of earlier ones are left out, since a later "
        "one repeats them",
    )


def test_an_event_file_of_another_curve_replaces_nothing(tmp_path: Path) -> None:
    events(tmp_path, "loss", [(0, 4.0), (10, 3.0)])
    events(tmp_path, "hp_metric", [(0, -1.0)], ".1")
    assert only(tmp_path).curves["loss"] == Curve.of([(0, 4.0), (10, 3.0)])


def test_an_empty_event_file_beside_a_full_one_is_no_harm(tmp_path: Path) -> None:
    events(tmp_path, "loss", [(0, 4.0)])
    (tmp_path / "events.out.tfevents.0.host").touch()
    assert only(tmp_path).curves["loss"] == Curve.of([(0, 4.0)])


def test_the_two_folders_of_keras_are_one_run(tmp_path: Path) -> None:
    events(tmp_path / "fit" / "train", "epoch_loss", [(0, 4.0), (1, 3.0)])
    events(tmp_path / "fit" / "validation", "epoch_loss", [(0, 5.0), (1, 4.0)])
    run = only(tmp_path / "fit")
    assert run.curves["loss"].values == (4.0, 3.0)
    assert run.curves["validation_loss"].values == (5.0, 4.0)


def test_folders_within_a_folder_are_runs_and_links_are_followed_once(tmp_path: Path) -> None:
    events(tmp_path / "elsewhere", "loss", [(0, 4.0)])
    runs = tmp_path / "runs"
    events(runs / "version_0", "loss", [(0, 3.0)])
    (runs / "linked").symlink_to(tmp_path / "elsewhere")
    (runs / "loop").symlink_to(runs)
    assert [run.name for run in read_runs(runs)] == ["linked", "version_0"]
    assert only(runs / "linked").curves["loss"].values == (4.0,)


def test_the_last_of_the_checkpoints_of_a_run_is_read(tmp_path: Path) -> None:
    for step in (500, 1000):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        write(folder / "trainer_state.json", json.dumps(STATE))
    run = only(tmp_path)
    assert run.name == "checkpoint-1000"
    assert run.notes == ("left out: checkpoint-500 (earlier checkpoints)",)


def test_files_beside_the_one_that_is_read_are_named(tmp_path: Path) -> None:
    write(tmp_path / "trainer_state.json", json.dumps(STATE))
    write(tmp_path / "trainer_log.jsonl", lines({"current_steps": 1, "loss": 9.0}))
    events(tmp_path / "runs" / "a", "loss", [(0, 4.0)])
    run = only(tmp_path)
    assert run.curves["loss"] == TRAINING
    assert run.notes == ("left out: trainer_log.jsonl, runs/a (trainer_state.json is read)",)


def test_the_log_of_llama_factory_is_read(tmp_path: Path) -> None:
    log = lines(
        *(
            {"current_steps": s, "total_steps": 20, "loss": v, "lr": 1e-4, "elapsed_time": "0:01"}
            for s, v in zip(TRAINING.steps, TRAINING.values, strict=True)
        ),
        {"current_steps": 20, "eval_loss": 1.75},
    )
    run = only(write(tmp_path / "trainer_log.jsonl", log))
    assert run.curves["loss"] == TRAINING
    assert run.curves["validation_loss"] == Curve.of([(20, 1.75)])
    assert run.notes == ()


@pytest.mark.parametrize(
    ("header", "loss", "validation"),
    [
        ("epoch,step,train_loss_step,train_loss_epoch,val_loss", 2, 4),  # Lightning
        ("epoch,train_loss,valid_loss,accuracy,time", 1, 2),  # fastai
        ("epoch,accuracy,loss,val_accuracy,val_loss", 2, 4),  # Keras
        ("Step,run-7 - train/loss,run-7 - eval/loss,b,c", 1, 2),  # Weights & Biases
        ("iteration,lm loss,lm loss validation,grad-norm,lr", 1, 2),  # Megatron
        (",step,eval_wiki_loss,train/loss,lr", 3, 2),  # pandas, Hugging Face
        ("step;loss;val_loss;b;c", 1, 2),
        ("step\tloss\tval_loss\tb\tc", 1, 2),
    ],
)
def test_the_columns_of_others_are_known(
    tmp_path: Path, header: str, loss: int, validation: int
) -> None:
    sign = next(sign for sign in ";\t," if sign in header)
    rows = [[0, 10, 20, 30, 40], [1, 11, 21, 31, 41]]
    text = "\n".join([header, *(sign.join(map(str, row)) for row in rows)])
    curves = only(write(tmp_path / "metrics.csv", text)).curves
    assert curves["loss"].values == (rows[0][loss], rows[1][loss])
    assert curves["validation_loss"].values == (rows[0][validation], rows[1][validation])


def test_a_loss_that_is_logged_twice_is_read_once_and_the_other_is_named(tmp_path: Path) -> None:
    text = "step,train_loss_epoch,train_loss_step\n0,9,3\n1,,2\n"
    run = only(write(tmp_path / "metrics.csv", text))
    assert run.curves["loss"].values == (3.0, 2.0)
    assert run.notes == ("left out: train_loss_epoch (training loss is read from train_loss_step)",)


def test_a_csv_saved_from_the_page_of_tensorboard_has_its_tag_in_its_name(tmp_path: Path) -> None:
    text = "Wall time,Step,Value\n1.6e9,0,3.0\n1.6e9,10,2.0\n"
    run = only(write(tmp_path / "run-.-tag-train_loss.csv", text))
    assert run.curves == {"loss": Curve.of([(0, 3.0), (10, 2.0)])}


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("step,loss,loss\n0,3,9\n1,2,9\n", "loss (column 3)"),
        ("step,step,loss\n0,7,3\n1,7,2\n", "step (column 2)"),
        ("step,loss,lr,lr\n0,3,1,1\n1,2,1,1\n", "lr (column 4)"),
    ],
)
def test_of_two_columns_of_one_name_the_first_is_read(
    tmp_path: Path, text: str, column: str
) -> None:
    run = only(write(tmp_path / "run.csv", text))
    assert run.curves["loss"] == Curve.of([(0, 3.0), (1, 2.0)])
    assert run.notes == (f"left out: {column} (an earlier column has the same name)",)


def test_an_empty_column_gives_its_name_to_a_full_one(tmp_path: Path) -> None:
    run = only(write(tmp_path / "run.csv", "step,loss,loss\n0,,3\n1,,2\n"))
    assert run.curves["loss"] == Curve.of([(0, 3.0), (1, 2.0)])


def test_columns_without_numbers_are_named(tmp_path: Path) -> None:
    run = only(write(tmp_path / "run.csv", "step,loss,host,phase\n0,3,a,b\n"))
    assert run.notes == ("left out: host, phase (no numbers)",)


def test_a_cell_that_is_no_number_costs_its_column_and_not_the_table(tmp_path: Path) -> None:
    run = only(write(tmp_path / "run.csv", 'step,loss,tokens\n0,3,512\n1,2,"1,024"\n'))
    assert run.curves == {"loss": Curve.of([(0, 3.0), (1, 2.0)])}
    assert run.notes == ("left out: tokens ('1,024' in line 3 is not a number)",)


POINTS = [{"step": s, "loss": v} for s, v in zip(TRAINING.steps, TRAINING.values, strict=True)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("history.json", json.dumps(POINTS)),
        ("run.jsonl", json.dumps(POINTS, indent=1)),
        ("run.jsonl", lines(*POINTS).replace("\n", ",\n")),
        (
            "run.jsonl",
            lines(*({"step": p["step"], "tag": "train/loss", "value": p["loss"]} for p in POINTS)),
        ),
        (
            "comet.json",
            json.dumps(
                [
                    {"step": p["step"], "metricName": "loss", "metricValue": str(p["loss"])}
                    for p in POINTS
                ]
            ),
        ),
    ],
    ids=["log_history alone", "an array in lines", "commas", "a tag", "Comet"],
)
def test_points_in_other_forms_of_json_are_read(tmp_path: Path, name: str, text: str) -> None:
    run = only(write(tmp_path / name, text))
    assert run.curves == {"loss": TRAINING}
    assert not run.notes


def test_lists_of_another_length_than_the_loss_have_no_steps(tmp_path: Path) -> None:
    losses = {"train_loss": [3.0, 2.0, 1.5, 1.0], "val_loss": [3.1, 1.75], "lr": [1e-3] * 4}
    run = only(write(tmp_path / "losses.json", json.dumps(losses)))
    assert set(run.curves) == {"loss", "lr"}
    assert run.notes == (
        "left out once: a list that has not 4 values, so that its steps are not known (val_loss), "
        "in losses.json",
    )


MARK = "\ufeff"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("run.csv", "step,loss\n0,3.0\n10,2.0\n20,1.5\n"),
        ("run.csv", '"step","loss"\r\n0,3.0\r\n10,2.0\r\n20,1.5\r\n'),
        ("trainer_state.json", json.dumps(STATE)),
        ("log.jsonl", lines(*LOG)),
        ("history.json", json.dumps({"loss": [3.0, 2.0, 1.5]})),
    ],
)
def test_a_byte_order_mark_changes_nothing(tmp_path: Path, name: str, text: str) -> None:
    plain = only(write(tmp_path / name, text))
    assert only(write(tmp_path / name, MARK + text)) == plain
    assert plain.curves["loss"].values == TRAINING.values


def state(*entries: str) -> str:
    return '{"log_history": [' + ", ".join(entries) + "]}"


GOOD = '{"step": 1, "loss": 2.5}'


@pytest.mark.parametrize(
    "step",
    [
        *("null", "NaN", "Infinity", "-Infinity", "1.5", '"one"', "true", "[]", "{}"),
        *("1e30", "9" * 400, str(2**53 + 1), str(-(2**63))),
    ],
)
@pytest.mark.parametrize("name", ["trainer_state.json", "log.jsonl", "trainer_log.jsonl"])
def test_a_step_that_is_none_is_left_out_with_its_place(
    tmp_path: Path, name: str, step: str
) -> None:
    bad = f'{{"step": {step}, "loss": 9.0}}'
    text = state(GOOD, bad) if name.endswith("json") else f"{GOOD}\n{bad}\n{GOOD}\n"
    run = only(write(tmp_path / name, text))
    assert run.curves == {"loss": Curve.of([(1, 2.5)])}
    place = "entry 2" if name.endswith("json") else "line 2"
    assert run.notes == (f"left out once: an entry without a whole number as its step, in {place}",)


@pytest.mark.parametrize(("step", "read"), [("3.0", 3), ('"3"', 3), ("-1", -1), ("1e2", 100)])
def test_a_step_that_is_whole_is_read_however_it_is_written(
    tmp_path: Path, step: str, read: int
) -> None:
    text = state(f'{{"step": {step}, "loss": 9.0}}')
    assert only(write(tmp_path / "trainer_state.json", text)).curves["loss"].steps == (read,)


@pytest.mark.parametrize("value", ["null", "true", '"-"', "[1]", "9" * 400])
def test_a_value_that_is_no_number_is_left_out_with_its_place(tmp_path: Path, value: str) -> None:
    text = f'{GOOD}\n{{"step": 2, "loss": {value}}}\n'
    run = only(write(tmp_path / "a.jsonl", text))
    assert run.curves == {"loss": Curve.of([(1, 2.5)])}
    assert run.notes == ("left out once: a value that is not a number (loss), in line 2",)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("trainer_state.json", '{"log_history": null}', "log_history: .*valid list"),
        ("trainer_state.json", '{"log_history": 5}', "log_history: .*valid list"),
        ("trainer_state.json", '{"log_history": [7]}', r"log_history\.0: .*valid dictionary"),
        ("trainer_state.json", "null", "the whole"),
        ("trainer_state.json", "[" * 100_000 + "]" * 100_000, "recursion limit"),
        ("trainer_state.json", state(f'{{"step": {"9" * 6000}}}'), "number out of range"),
        ("history.json", '{"loss": 3}', "nor a list of losses"),
        ("log.jsonl", f"{GOOD}\n{'[' * 100_000}\n{GOOD}\n", "line 2: this is not JSON"),
        ("log.jsonl", f'{GOOD}\n{{"step": {"9" * 6000}}}\n{GOOD}', "line 2: this is not JSON"),
        ("log.jsonl", f'{GOOD}\n{{"text": "{"x" * 2**20}"}}', "line 2: it has 10485.. characters"),
        ("log.jsonl", "null\n5\n", "holds no curve: .*left out 2 times: a line without a JSON obj"),
        (
            "run.csv",
            f"step,loss\n0,3\n1,{'x' * 200_000}\n",
            r"line 3: not valid CSV \(field larger than",
        ),
        ("run.csv", f"{MARK}\n\n", "is empty"),
        ("run.csv", "step,loss\n0,3\n\n1,x\n", "line 4: 'x' in the column 'loss'"),
    ],
)
def test_what_no_curve_can_be_made_of_is_one_sentence(
    tmp_path: Path, name: str, text: str, sentence: str
) -> None:
    with pytest.raises(LabError, match=sentence) as raised:
        read_runs(write(tmp_path / name, text))
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400 + len(str(tmp_path))


def test_rows_without_a_step_are_counted(tmp_path: Path) -> None:
    run = only(write(tmp_path / "run.csv", "step,loss\n0,3\nx,9\n1.5,9\n,9\n1,2\n"))
    assert run.curves == {"loss": Curve.of([(0, 3.0), (1, 2.0)])}
    assert run.notes == (
        "left out 3 times: a row without a whole number as its step ('x', '1.5', ''), first in "
        "line 3",
    )


def test_odd_steps_of_a_table_are_counted(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"run_id": "a", "metric": "loss", "step": [0, math.nan, math.inf, 1.5], "value": 2.0}
    )
    frame.to_parquet(tmp_path / "curves.parquet")
    run = only(tmp_path / "curves.parquet")
    assert run.curves == {"loss": Curve.of([(0, 2.0)])}
    assert run.notes == ("left out 3 times: a row without a whole step or a value, first in row 2",)


@pytest.mark.parametrize("name", [b"run \xff.csv", b"caf\xe9.csv", b"\xed\xa0\x80.csv"])
def test_a_file_whose_name_is_no_utf_8_has_a_name_that_can_be_printed(
    tmp_path: Path, name: bytes
) -> None:
    run = only(write(tmp_path / os.fsdecode(name), "step,loss\n0,3\n"))
    assert run.name.encode().endswith(b".csv")


def test_a_name_moves_no_cursor(tmp_path: Path) -> None:
    run = only(write(tmp_path / "a\n\x1b[2J.csv", "step,loss\n0,3\n"))
    assert run.name == "a\\n\\x1b[2J.csv"


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.csv")
    with pytest.raises(LabError, match="is not a regular file"):
        read_runs(tmp_path / "run.csv")


def test_a_damaged_length_costs_one_record_too(tmp_path: Path) -> None:
    events(tmp_path, "loss", [(step, 1.0) for step in range(20)])
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    second = len(next(iter(records(bytes(content))))) + 16
    content[second + 2] ^= 1
    file.write_bytes(content)
    assert only(tmp_path).curves["loss"].steps == tuple(range(1, 20))

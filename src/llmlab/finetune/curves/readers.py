"""Curves from files: our tables and logs, CSV, TensorBoard's events, Hugging Face's trainer."""

import csv
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from llmlab.finetune.curves.curve import Curve
from llmlab.method.errors import LabError

LOG, TRAINER_STATE, EVENTS = "log.jsonl", "trainer_state.json", "events.out.tfevents"
TABLE = "curves.parquet"

STEP_NAMES = ("step", "steps", "global_step", "iteration", "iter")
NAMES = {
    "loss": ("loss", "train_loss", "training_loss", "loss_train"),
    "validation_loss": (
        "validation_loss",
        "val_loss",
        "valid_loss",
        "eval_loss",
        "loss_validation",
        "loss_val",
        "loss_eval",
    ),
    "gradient_norm": ("gradient_norm", "grad_norm", "train_grad_norm"),
}
"""What others call the curves that we know; anything else keeps its name."""

Point = tuple[str, int, float]
"""A curve's name, step and value."""


@dataclass(frozen=True)
class Run:
    """The curves of one run by name.

    Attributes:
        name: the run's id in a table of several, else the file's name.
    """

    name: str
    curves: Mapping[str, Curve]


def read_runs(path: Path) -> tuple[Run, ...]:
    """The runs in a file, or in the folder of a run.

    Raises:
        LabError: there is no such file, it has another form, or there is no curve in it.
    """
    file = _within(path) if path.is_dir() else path
    if not file.is_file():
        raise LabError(f"there is no file {path}: give the path of a file with curves.")
    if not file.stat().st_size:
        raise LabError(f"{file} is empty: the run has not written anything into it yet.")
    read = _reader(file)
    try:
        points = read(file)
    except OSError as error:
        raise LabError(f"{file} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise LabError(f"{file} is no text file, although its name says so.") from error
    runs = tuple(Run(name, _curves(found)) for name, found in points.items() if found)
    if not runs:
        raise LabError(f"{file} holds no curve: no number in it belongs to a step.")
    return runs


def _within(folder: Path) -> Path:
    """The file with the curves of a run's folder."""
    names = (LOG, TRAINER_STATE, TABLE)
    found = [folder / name for name in names if (folder / name).is_file()]
    found += sorted(folder.glob(f"{EVENTS}*"))
    if not found:
        raise LabError(
            f"the folder {folder} holds neither {LOG}, {TRAINER_STATE}, {TABLE} nor {EVENTS}.*: "
            "give the path of a file with curves."
        )
    return found[0]


def _reader(file: Path) -> Callable[[Path], dict[str, list[Point]]]:
    if file.name.startswith(EVENTS):
        return _read_events
    readers = {
        ".parquet": _read_parquet,
        ".csv": _read_csv,
        ".jsonl": _read_log,
        ".json": _read_trainer_state,
    }
    if file.suffix not in readers:
        raise LabError(
            f"{file} is of no form that is read here: give a .csv, a .parquet of the results, a "
            f"{LOG}, a {TRAINER_STATE} or an {EVENTS}.* of TensorBoard."
        )
    return readers[file.suffix]


def _read_parquet(file: Path) -> dict[str, list[Point]]:
    """Our own tables: one row per run, curve and step."""
    try:
        frame = pd.read_parquet(file)
    except (ValueError, OSError) as error:  # pyarrow's errors are of these
        raise LabError(f"{file} is no whole parquet file: write it again.") from error
    return _from_long(file, frame)


def _from_long(file: Path, frame: pd.DataFrame) -> dict[str, list[Point]]:
    missing = [name for name in ("run_id", "metric", "step", "value") if name not in frame.columns]
    if missing:
        raise LabError(
            f"{file} has no column '{missing[0]}': a table of curves has run_id, metric, step and "
            "value."
        )
    points: dict[str, list[Point]] = defaultdict(list)
    for run, metric, step, value in frame[["run_id", "metric", "step", "value"]].itertuples(
        index=False
    ):
        points[str(run)].append((str(metric), int(step), float(value)))
    return points


def _read_csv(file: Path) -> dict[str, list[Point]]:
    """A column of steps, and a column for each curve; an empty cell is no point."""
    frame = _cells(file)
    steps = next((c for c in frame.columns if c.lower() in STEP_NAMES), None)
    if steps is None:
        raise LabError(
            f"{file} has no column of steps: name one of its columns 'step' (it has "
            f"{', '.join(frame.columns)})."
        )
    if {"run_id", "metric", "value"} <= set(frame.columns):
        columns = {"step": frame[steps], "value": frame["value"]}
        numbers = {name: _numbers(file, name, cells) for name, cells in columns.items()}
        return _from_long(file, frame.assign(**numbers).dropna(subset="step"))
    at = _numbers(file, steps, frame[steps])
    points = [
        (column, int(step), value)
        for column in frame.columns
        if column != steps and _is_numeric(frame[column])
        for step, cell, value in zip(
            at, frame[column], _numbers(file, column, frame[column]), strict=True
        )
        if cell and math.isfinite(step)
    ]
    return {file.name: points}


def _cells(file: Path) -> pd.DataFrame:
    """The cells of a CSV file as text."""
    with file.open(newline="", encoding="utf-8") as opened:
        try:
            header, *rows = csv.reader(opened, skipinitialspace=True)
        except csv.Error as error:
            raise LabError(f"{file} is no table: {error}.") from error
    for line, row in enumerate(rows, start=2):
        if len(row) not in (0, len(header)):
            raise LabError(
                f"{file}, line {line}: it has {len(row)} cells and the header {len(header)}; "
                "correct or remove that line."
            )
    return pd.DataFrame(filter(None, rows), columns=[name.strip() for name in header], dtype=str)


def _is_numeric(cells: pd.Series) -> bool:
    """Whether the first cell with anything in it is a number."""
    first = next((cell for cell in cells if cell), "")
    return _number(first) is not None


def _numbers(file: Path, column: str, cells: pd.Series) -> list[float]:
    """The cells as numbers, NaN where one is empty."""
    numbers = []
    for line, cell in enumerate(cells, start=2):
        number = _number(cell) if cell else math.nan
        if number is None:
            raise LabError(
                f"{file}, line {line}: '{cell}' in the column '{column}' is no number; correct "
                "that cell or remove it."
            )
        numbers.append(number)
    return numbers


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _read_log(file: Path) -> dict[str, list[Point]]:
    """The log of `llmlab train` or `llmlab finetune`; its last line may be cut short by a kill."""
    points: list[Point] = []
    lines = file.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            event = json.loads(line)
        except ValueError as error:
            if number == len(lines):
                break
            raise LabError(f"{file}, line {number}: this is no JSON; remove that line.") from error
        points += _points_of(event) if isinstance(event, dict) else ()
    return {_run_name(file): points}


def _points_of(event: Mapping[str, object]) -> Iterator[Point]:
    """What one event adds to the curves; numbers that JSON cannot hold stand there by name."""
    curves = {
        "point": {"loss": "loss", "gradient_norm": "gradient_norm"},
        "validation": {"validation_loss": "loss"},
        "diverged": {"loss": "loss", "gradient_norm": "gradient_norm"},
    }.get(str(event.get("event")), {})
    for name, key in curves.items():
        if "step" in event and key in event:
            yield name, int(event["step"]), float(event[key])


def _read_trainer_state(file: Path) -> dict[str, list[Point]]:
    """`trainer_state.json` of transformers: its `log_history` has an entry for each look."""
    try:
        history = json.loads(file.read_text(encoding="utf-8"))["log_history"]
    except ValueError as error:
        raise LabError(f"{file} is no whole JSON file: {_one_line(error)}.") from error
    except (KeyError, TypeError) as error:
        raise LabError(
            f"{file} has no 'log_history': give the {TRAINER_STATE} that the Trainer of "
            "transformers writes into a checkpoint."
        ) from error
    points = [
        (name, int(entry["step"]), float(value))
        for entry in history
        if "step" in entry
        for name, value in entry.items()
        # train_loss is the mean over the whole run, logged once at its end
        if name not in ("step", "epoch", "train_loss") and isinstance(value, int | float)
    ]
    return {_run_name(file): points}


def _read_events(file: Path) -> dict[str, list[Point]]:
    try:
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError as error:
        raise LabError(
            f"{file} is TensorBoard's, which is not installed: pip install 'llmlab[events]'."
        ) from error
    points = []
    for event in EventFileLoader(str(file)).Load():
        for value in event.summary.value:
            # the loader gives old and new scalars alike as tensors
            number = make_ndarray(value.tensor) if value.HasField("tensor") else None
            if number is not None and number.ndim == 0 and number.dtype.kind == "f":
                points.append((value.tag, event.step, float(number)))
    if not points:
        raise LabError(
            f"{file} holds no scalar: it is no event file of TensorBoard, or nothing was logged."
        )
    return {file.name: points}


def _curves(points: Iterable[Point]) -> dict[str, Curve]:
    """Curves by their names here; of several values at one step the last, as after a resumption."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for name, step, value in points:
        found[canonical(name)][step] = value
    return {name: Curve.of(sorted(by_step.items())) for name, by_step in found.items()}


def canonical(name: str) -> str:
    """The name that a curve has here."""
    plain = name.strip().lower().replace("/", "_").replace(" ", "_").replace("-", "_")
    return next((known for known, others in NAMES.items() if plain in others), name)


def _run_name(file: Path) -> str:
    """The folder that a log or state stands in tells runs apart better than its own name."""
    return file.resolve().parent.name if file.name in (LOG, TRAINER_STATE) else file.name


def _one_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")

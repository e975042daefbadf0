"""Curves from JSON: our own log, lines of others, the state of a trainer, a history of epochs."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from llmlab.finetune.curves.names import STEP_NAMES
from llmlab.finetune.curves.readings import Omissions, Point, Readings, as_step, as_value
from llmlab.method.errors import LabError
from llmlab.method.files import read_text

LOG, TRAINER_STATE, TRAINER_LOG = "log.jsonl", "trainer_state.json", "trainer_log.jsonl"
LONGEST = 1 << 20
"""Characters of a line; an event has a few hundred."""

OURS = {
    "point": {"loss": "loss", "gradient_norm": "gradient_norm"},
    "validation": {"validation_loss": "loss"},
    "diverged": {"loss": "loss", "gradient_norm": "gradient_norm"},
}
"""For each event of our log that is a point: its curves, and the keys that hold their values."""

BESIDE = ("total_steps", "percentage", "elapsed_time", "remaining_time", "_timestamp", "_runtime")
"""What others log with every point that is not a curve: progress and times."""

Entry = tuple[str, Mapping[str, object]]
"""A place in a file, and the object that stands there."""


class TrainerState(BaseModel):
    """The part of transformers' `trainer_state.json` that is read."""

    model_config = ConfigDict(extra="ignore")
    log_history: list[dict[str, object]]


class History(BaseModel):
    """Keras's history of a run: for each curve one value per epoch."""

    model_config = ConfigDict(extra="allow")
    loss: list[object]


def read_log(file: Path) -> Readings:
    """Lines of JSON; the last one may be cut short by a kill.

    Raises:
        LabError: a line is not JSON or far too long for one.
    """
    left_out = Omissions()
    entries = list(_lines(file, left_out))
    ours = any("event" in entry for _, entry in entries)
    points = _points_of_events(entries, left_out) if ours else _points(entries, left_out)
    return Readings({run_name(file): list(points)}, left_out.notes())


def read_document(file: Path) -> Readings:
    """`trainer_state.json`: its `log_history` has an entry for each look; or a history of Keras.

    Raises:
        LabError: the file is not JSON, or has neither.
    """
    try:
        document = from_json(read_text(file))
    except ValueError as error:
        raise LabError(
            f"{file} is not a complete JSON file: {_one_line(error)}; write or copy it again."
        ) from error
    left_out = Omissions()
    if isinstance(document, dict) and "log_history" not in document and "loss" in document:
        entries = _epochs(file, document)
    else:
        entries = _history(file, document)
    return Readings({run_name(file): list(_points(entries, left_out))}, left_out.notes())


def run_name(file: Path) -> str:
    """The run's name: its folder's, which distinguishes runs better than the file's own."""
    is_usual = file.name in (LOG, TRAINER_STATE, TRAINER_LOG)
    return file.resolve().parent.name if is_usual else file.name


def _lines(file: Path, left_out: Omissions) -> Iterator[Entry]:
    """Every object of the file, with its line."""
    lines = read_text(file).split("\n")
    last = max((number for number, line in enumerate(lines, start=1) if line.strip()), default=0)
    for number, line in enumerate(lines, start=1):
        place = f"line {number}"
        if len(line) > LONGEST:
            raise LabError(
                f"{file}, {place}: it has {len(line)} characters, and an event has some hundred; "
                "remove that line."
            )
        if not line.strip():
            continue
        try:
            entry = from_json(line)
        except ValueError as error:
            if number == last > 1:
                left_out.add("a line that was cut short", place)
                break
            raise LabError(
                f"{file}, {place}: this is not JSON ({_one_line(error)}); remove that line."
            ) from error
        if isinstance(entry, dict):
            yield place, entry
        else:
            left_out.add("a line without a JSON object", place)


def _points_of_events(entries: Iterable[Entry], left_out: Omissions) -> Iterator[Point]:
    """What the events of our own log add to the curves."""
    for place, event in entries:
        keys = OURS.get(str(event.get("event")), {})
        step = as_step(event.get("step"))
        if keys and step is None:
            left_out.add("an event without a whole number as its step", place)
            continue
        for name, key in keys.items():
            value = as_value(event.get(key))
            if value is None:
                left_out.add("a value that is not a number", place, name)
            else:
                yield name, step, value


def _points(entries: Iterable[Entry], left_out: Omissions) -> Iterator[Point]:
    """What objects with a step and numbers add to the curves."""
    entries = list(entries)
    known = {key for _, entry in entries for key in entry}
    steps = next((name for name in STEP_NAMES if name in known), None)
    for place, entry in entries:
        step = as_step(entry.get(steps))
        if step is None:
            left_out.add("an entry without a whole number as its step", place)
            continue
        for name, value in entry.items():
            if name in STEP_NAMES or name in BESIDE:
                continue
            number = as_value(value)
            if number is None:
                left_out.add("a value that is not a number", place, name)
            else:
                yield name, step, number


def _history(file: Path, document: object) -> Iterator[Entry]:
    try:
        state = TrainerState.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise LabError(
            f"{file} has no 'log_history' that can be read ({place}: {first['msg']}): give the "
            f"{TRAINER_STATE} that the Trainer of transformers writes into a checkpoint."
        ) from error
    for number, entry in enumerate(state.log_history, start=1):
        # train_loss is the mean over the whole run, logged once at its end, with its speed
        if "train_runtime" not in entry:
            yield f"entry {number}", entry


def _epochs(file: Path, document: Mapping[str, object]) -> Iterator[Entry]:
    try:
        history = History.model_validate(document)
    except ValidationError as error:
        raise LabError(
            f"{file} has neither 'log_history' nor lists of a loss and others: give a "
            f"{TRAINER_STATE} of transformers or a history of Keras."
        ) from error
    curves = {"loss": history.loss, **(history.model_extra or {})}
    curves = {name: values for name, values in curves.items() if isinstance(values, list)}
    for epoch in range(max(map(len, curves.values()))):
        values = {name: values[epoch] for name, values in curves.items() if epoch < len(values)}
        yield f"epoch {epoch + 1}", {"epoch": epoch + 1, **values}


def _one_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")

"""Curves from JSON: our own log, lines of others, the state of a trainer, a history of epochs."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from llmlab.finetune.curves.names import STEP_NAMES, WORDS, canonical
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

NAME_KEYS = ("metric", "key", "name", "tag", "metricName")
VALUE_KEYS = ("value", "metricValue")
"""What others call the curve and its value where each point is an object of its own."""

Entry = tuple[str, Mapping[str, object]]
"""A place in a file, and the object that stands there."""


class TrainerState(BaseModel):
    """The part of transformers' `trainer_state.json` that is read."""

    model_config = ConfigDict(extra="ignore")
    log_history: list[dict[str, object]]


def read_log(file: Path) -> Readings:
    """Lines of JSON; the last one may be cut short by a kill.

    Raises:
        LabError: a line is not JSON or far too long for one.
    """
    text = read_text(file)
    if text.lstrip().startswith("["):  # one array of all entries
        return read_document(file)
    left_out = Omissions()
    entries = list(_lines(file, text, left_out))
    ours = any("event" in entry for _, entry in entries)
    points = _points_of_events(entries, left_out) if ours else _points(entries, left_out)
    return Readings({run_name(file): list(points)}, left_out.notes())


def read_document(file: Path) -> Readings:
    """`trainer_state.json`: its `log_history` has an entry for each look.

    Others write that list alone, or for each curve a list of its values, as a history of Keras.

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
    lists = _lists(document)
    entries = _epochs(file, lists, left_out) if lists else _history(file, document)
    return Readings({run_name(file): list(_points(entries, left_out))}, left_out.notes())


def run_name(file: Path) -> str:
    """The run's name: its folder's, which distinguishes runs better than the file's own."""
    is_usual = file.name in (LOG, TRAINER_STATE, TRAINER_LOG)
    return file.resolve().parent.name if is_usual else file.name


def _lines(file: Path, text: str, left_out: Omissions) -> Iterator[Entry]:
    """Every object of the file, with its line."""
    lines = text.split("\n")
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
            entry = from_json(line.rstrip().removesuffix(","))
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
    entries = [(place, _named(entry)) for place, entry in entries]
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


def _named(entry: Mapping[str, object]) -> Mapping[str, object]:
    """The entry with its value under the name of its curve, if it is one point of one."""
    name = next((key for key in NAME_KEYS if isinstance(entry.get(key), str)), None)
    value = next((key for key in VALUE_KEYS if key in entry), None)
    if name is None or value is None:
        return entry
    others = {key: item for key, item in entry.items() if key not in (name, value)}
    return {**others, str(entry[name]): entry[value]}


def _history(file: Path, document: object) -> Iterator[Entry]:
    if isinstance(document, list) and document:
        document = {"log_history": document}
    try:
        state = TrainerState.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        message = first["msg"].partition(" or instance of ")[0]
        raise LabError(
            f"{file} has no 'log_history' that can be read ({place}: {message}), "
            f"nor a list of losses: give the {TRAINER_STATE} that the Trainer "
            "of transformers writes into a checkpoint."
        ) from error
    for number, entry in enumerate(state.log_history, start=1):
        # train_loss is the mean over the whole run, logged once at its end, with its speed
        if "train_runtime" not in entry:
            yield f"entry {number}", entry


def _lists(document: object) -> dict[str, list]:
    """For each curve the list of its values; none if there is no loss among them."""
    if not isinstance(document, dict) or "log_history" in document:
        return {}
    lists = {name: values for name, values in document.items() if isinstance(values, list)}
    return lists if any(canonical(name) in WORDS for name in lists) else {}


def _epochs(file: Path, lists: Mapping[str, list], left_out: Omissions) -> Iterator[Entry]:
    """An entry for each place in the lists; those of another length have other steps."""
    n_epochs = max(len(values) for name, values in lists.items() if canonical(name) in WORDS)
    for name, values in lists.items():
        if len(values) != n_epochs:
            reason = f"a list that has not {n_epochs} values, so that its steps are not known"
            left_out.add(reason, file.name, name)
    kept = {name: values for name, values in lists.items() if len(values) == n_epochs}
    for epoch in range(n_epochs):
        values = {name: values[epoch] for name, values in kept.items()}
        yield f"epoch {epoch + 1}", {"epoch": epoch + 1, **values}


def _one_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")

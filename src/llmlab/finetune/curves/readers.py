"""Curves from files: our tables and logs, CSV, TensorBoard's events, what trainers print."""

import math
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.curves.json_logs import (
    LOG,
    TRAINER_LOG,
    TRAINER_STATE,
    read_document,
    read_log,
    run_name,
)
from llmlab.finetune.curves.names import WORDS, canonical, chosen, is_exact
from llmlab.finetune.curves.printed import read_printed
from llmlab.finetune.curves.readings import Point, Readings
from llmlab.finetune.curves.tables import read_csv, read_parquet
from llmlab.finetune.curves.tensorboard import EVENTS, read_events
from llmlab.method.documents import escaped, listed
from llmlab.method.errors import LabError

TABLE, CSV_LOG = "curves.parquet", "metrics.csv"
USUAL = (LOG, TRAINER_STATE, TRAINER_LOG, TABLE, CSV_LOG)
"""Files that hold the curves of a folder, the best first; TensorBoard's come after them."""
PARTS = {"train", "validation", "val", "eval", "test"}
"""Folders that Keras and others divide the event files of one run into."""
SHORTEST_COURSE = 4
"""Least points between two returns, on average, of a curve that was resumed: at other steps than it
was written at before, too. In a table that returns more often, the order of rows says nothing."""
CHECKPOINT = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True)
class Run:
    """The curves of one run by name.

    Attributes:
        name: the run's id in a table of several, else the file's name.
        notes: a sentence for each thing that was left out or merged.
    """

    name: str
    curves: Mapping[str, Curve]
    notes: tuple[str, ...] = ()


def read_runs(path: Path) -> tuple[Run, ...]:
    """The runs in a file, in the folder of a run, or in the folders within it.

    Raises:
        LabError: there is no such file, it has another form, or there is no curve in it.
    """
    try:
        if path.is_dir():
            readings = list(_within(path))
        elif path.is_file():
            readings = [_read(path)]
        elif path.exists():
            raise LabError(f"{path} is not a regular file: give a file with curves.")
        else:
            raise LabError(f"there is no file {path}: give the path of a file with curves.")
    except OSError as error:
        raise LabError(
            f"{path} cannot be read: {error.strerror or error}; make it readable or give another."
        ) from error
    except ValueError as error:  # a null byte within a path
        raise LabError(f"{str(path)!r} is not a path: {error}; give another.") from error
    runs = tuple(
        _run(name, points, found.notes)
        for found in readings
        for name, points in found.points.items()
        if points
    )
    if not runs:
        notes = "".join(f"; {note}" for found in readings for note in found.notes)
        raise LabError(f"{path} holds no curve: no number in it belongs to a step{notes}.")
    return runs


def _read(file: Path) -> Readings:
    if not file.stat().st_size:
        raise LabError(
            f"{file} is empty: wait until the run has written its first step, or give another file."
        )
    if file.name.startswith(EVENTS):
        return read_events([file], file.name)
    return _reader(file)(file)


def _reader(file: Path) -> Callable[[Path], Readings]:
    readers = {
        ".parquet": read_parquet,
        ".csv": read_csv,
        ".tsv": read_csv,
        ".jsonl": read_log,
        ".json": read_document,
        ".log": read_printed,
        ".out": read_printed,
        ".txt": read_printed,
    }
    if file.suffix.lower() not in readers:
        raise LabError(
            f"{file} has a form that is not read here: give a .csv, a .parquet of the results, a "
            f"{LOG}, a {TRAINER_STATE}, an {EVENTS}.* of TensorBoard, or a .log with what a "
            "trainer printed."
        )
    return readers[file.suffix.lower()]


def _within(folder: Path) -> Iterator[Readings]:
    """The curves in the folder of a run; if there are none, those in the folders within it."""
    files = _sources(folder)
    below = [found for found in _folders(folder) if found != folder]
    if files:
        yield _read_folder(folder, files, below)
        return
    parts = [found for found in below if found.parent == folder and found.name in PARTS]
    if len(parts) > 1 and parts == below:
        yield _read_parts(folder, parts)
        return
    if not below:
        raise LabError(
            f"the folder {folder} holds neither {', '.join(USUAL)} nor {EVENTS}.*, and no folder "
            "within it does: give the path of a file with curves."
        )
    kept, others = _newest_checkpoints(below)
    notes = _left_out([str(one.relative_to(folder)) for one in others], "earlier checkpoints")
    for found in kept:
        read = _read_folder(found, _sources(found), ())
        name = str(found.relative_to(folder))
        is_one = len(read.points) == 1
        points = {name if is_one else f"{name}/{run}": p for run, p in read.points.items()}
        yield Readings(points, (*read.notes, *notes))


def _read_folder(folder: Path, files: Sequence[Path], below: Sequence[Path]) -> Readings:
    """The curves of the best file, or of all event files; a note on what else is there."""
    first, *others = files
    if first.name.startswith(EVENTS):
        found, others = read_events(files, run_name(folder / LOG)), []
    else:
        found = _read(first)
    names = [*(other.name for other in others), *(str(one.relative_to(folder)) for one in below)]
    return Readings(found.points, (*found.notes, *_left_out(names, f"{first.name} is read")))


def _read_parts(folder: Path, parts: Sequence[Path]) -> Readings:
    files = [file for part in parts for file in _sources(part)]
    files = [file for file in files if file.name.startswith(EVENTS)]
    return read_events(files, folder.resolve().name, [f"{file.parent.name}/" for file in files])


def _sources(folder: Path) -> list[Path]:
    """The files with curves that lie in a folder, the best first."""
    usual = [folder / name for name in USUAL if (folder / name).is_file()]
    return usual + sorted(f for f in folder.iterdir() if f.name.startswith(EVENTS) and f.is_file())


def _folders(folder: Path) -> Iterator[Path]:
    """Every folder with curves in or below this one, links included, each once."""
    seen = set()
    for place, within, _ in os.walk(folder, followlinks=True):
        within.sort()
        real = os.path.realpath(place)
        if real in seen:
            within.clear()
            continue
        seen.add(real)
        if _sources(Path(place)):
            yield Path(place)


def _newest_checkpoints(folders: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The folders without the checkpoints that a later one of the same run holds, and those."""
    newest: dict[Path, tuple[int, Path]] = {}
    for folder in folders:
        if found := CHECKPOINT.fullmatch(folder.name):
            here = (int(found[1][:18]), folder)
            newest[folder.parent] = max(here, newest.get(folder.parent, here))
    last = {folder for _, folder in newest.values()}
    others = [one for one in folders if CHECKPOINT.fullmatch(one.name) and one not in last]
    return [one for one in folders if one not in others], others


def _left_out(names: list[str], reason: str) -> tuple[str, ...]:
    return (f"left out: {listed(names, 4)} ({reason})",) if names else ()


def _run(name: str, points: Iterable[Point], notes: Sequence[str]) -> Run:
    """The run with its curves by our names."""
    found, undone, several = _courses(points)
    if undone:
        curves, n_points = listed(list(undone), 4), sum(undone.values())
        notes = (
            *notes,
            f"the steps of {curves} go back, as after a resume or a restart: "
            f"{n_points} points that were written before, from there on, are left out",
        )
    if several:
        curves, n_steps = listed(list(several), 4), sum(several.values())
        notes = (
            *notes,
            f"{n_steps} steps of {curves} have several values, one after another: the last is read",
        )
    best = chosen(found)
    ours = {theirs: known for known, theirs in best.items()}
    passed_over = [theirs for theirs in found if theirs not in ours and is_exact(theirs)]
    curves = {
        ours.get(theirs, theirs): Curve.of(sorted(by_step.items()))
        for theirs, by_step in found.items()
        if theirs not in passed_over
    }
    others = [
        f"left out: {theirs} ({WORDS[canonical(theirs)]} is read from {best[canonical(theirs)]})"
        for theirs in passed_over
    ]
    return Run(_printable(name), curves, tuple(map(_printable, (*notes, *others))))


def _courses(
    points: Iterable[Point],
) -> tuple[dict[str, dict[int, float]], dict[str, int], dict[str, int]]:
    """Values by curve and step; where steps go back, the later ones count.

    Returns:
        The values, how many points of each curve were replaced so, and how many of its steps have
        several values one after another.
    """
    written: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for curve, step, value in points:
        written[curve].append((step, value))
    courses = {curve: _course(found) for curve, found in written.items()}
    undone = {curve: n for curve, (_, n) in courses.items() if n}
    several = {curve: n for curve, found in written.items() if (n := _n_repeated(found))}
    return {curve: course for curve, (course, _) in courses.items()}, undone, several


def _n_repeated(written: Sequence[tuple[int, float]]) -> int:
    """How many steps directly follow themselves with another value."""
    repeated = {
        step
        for (before, former), (step, value) in pairwise(written)
        if step == before and value != former and not (math.isnan(value) and math.isnan(former))
    }
    return len(repeated)


def _course(written: Sequence[tuple[int, float]]) -> tuple[dict[int, float], int]:
    """The values of one curve by step, and how many were replaced."""
    steps = [step for step, _ in written]
    n_returns = sum(after < before for before, after in pairwise(steps))
    is_rising = n_returns * SHORTEST_COURSE <= len(steps)
    course: dict[int, float] = {}
    n_undone = 0
    for place, (step, value) in enumerate(written):
        is_again = step in course or (is_rising and _goes_on(steps, place))
        while is_again and course and next(reversed(course)) > step:
            course.popitem()
            n_undone += 1
        course[step] = value
    return course, n_undone


def _goes_on(steps: Sequence[int], place: int) -> bool:
    """Whether a step goes back and the next rises from there: not one row is out of order."""
    return 0 < place < len(steps) - 1 and steps[place] < steps[place + 1] <= steps[place - 1]


def _printable(name: str) -> str:
    """A name that can be printed, even that of a file whose name is not UTF-8."""
    return escaped(name.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))

"""Curves from tables: our own, in parquet, and CSV with a column for each curve."""

import io
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from llmlab.finetune.curves.names import STEP_NAMES, WORDS, canonical
from llmlab.finetune.curves.readings import (
    SHOWN,
    Omissions,
    Point,
    Readings,
    as_step,
    as_value,
)
from llmlab.method.delimited import COMMENT, read_rows
from llmlab.method.documents import listed
from llmlab.method.errors import LabError
from llmlab.method.files import read_bytes

LONG = ("run_id", "metric", "step", "value")
"""Columns of a table with a row for each run, curve and step."""
LONG_NAMES = {
    "run": "run_id",
    "run_id": "run_id",
    "run id": "run_id",
    "run_uuid": "run_id",
    "metric": "metric",
    "key": "metric",
}
"""Our names and those of others, such as MLflow, for the first two, in lower case."""
BOUNDS = ("__MIN", "__MAX")
"""Suffixes of the columns that Weights & Biases adds to each curve."""
BESIDE = (
    *("wall time", "time", "timestamp", "walltime", "_timestamp", "_runtime"),
    *("", "unnamed: 0", "index", "__index_level_0__"),
)
"""Columns that are not curves and that nobody misses, in lower case."""
SECOND = " (column {})"
"""Suffix of a column whose name an earlier column has, too."""
THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")
LONGEST_CELL = 40
"""Characters of a cell that a note repeats."""
EMPTY = ("", "-", "none", "null", "n/a", "no log")
"""Contents of a cell without a value, in lower case; nan is a value."""


@dataclass(frozen=True)
class Cells:
    """The cells of a table as text.

    Attributes:
        lines: for each row its line in the file.
        columns: by name, a cell for each row.
    """

    lines: Sequence[int]
    columns: Mapping[str, Sequence[str]]


def read_parquet(file: Path) -> Readings:
    """Our own tables, one row per run, curve and step; or columns as those of a CSV file.

    Raises:
        LabError: the file is not a complete parquet file, or has other columns.
    """
    try:
        table = pq.read_table(io.BytesIO(read_bytes(file)))  # a path may be no UTF-8
        columns = {name: table.column(name).to_pylist() for name in table.schema.names}
    except (pa.ArrowException, ValueError, OSError, KeyError, OverflowError) as error:
        raise LabError(f"{file} is not a complete parquet file: write it again.") from error
    places = [f"row {row + 1}" for row in range(table.num_rows)]
    steps = _step_column(columns)
    if steps is None or columns.keys() >= set(LONG):
        return _from_long(file, columns, places)
    cells = {
        name: ["" if value is None else str(value) for value in column]
        for name, column in columns.items()
    }
    return _from_wide(file, cells, steps, places)


def read_csv(file: Path) -> Readings:
    """A column of steps, and a column for each curve; an empty cell is not a point.

    Weights & Biases exports several runs as columns named "RUN - CURVE". A table that has a column
    `metric` (MLflow: `key`) and a column `value` has a row for each point.

    Raises:
        LabError: there is no column of steps, a row has more or fewer cells than the header, or a
            cell in a numeric column is not a number.
    """
    cells = _cells(file)
    by_lower = _by_lower(cells.columns)
    steps = _step_column(cells.columns)
    if steps is None:
        raise LabError(
            f"{file} has no column of steps: name one of its columns 'step' (it has "
            f"{', '.join(cells.columns)})."
        )
    places = [f"line {line}" for line in cells.lines]
    named = {ours: by_lower[theirs] for theirs, ours in LONG_NAMES.items() if theirs in by_lower}
    if "metric" in named and "value" in by_lower:
        named |= {"step": steps, "value": by_lower["value"]}
        columns = {ours: cells.columns[theirs] for ours, theirs in named.items()}
        return _from_long(file, {"run_id": [file.name] * len(places)} | columns, places)
    return _from_wide(file, cells.columns, steps, places)


def _by_lower(columns: Mapping[str, object]) -> dict[str, str]:
    """The names of the columns by their lower case; of several, the first."""
    return {name.lower(): name for name in reversed(columns)}


def _step_column(columns: Mapping[str, object]) -> str | None:
    by_lower = _by_lower(columns)
    return next((by_lower[name] for name in STEP_NAMES if name in by_lower), None)


def _from_wide(
    file: Path, columns: Mapping[str, Sequence[str]], steps: str, places: Sequence[str]
) -> Readings:
    """A column for each curve, beside that of the steps."""
    left_out = Omissions()
    at = _steps(columns[steps], places, left_out)
    curves = {
        name: column
        for name, column in columns.items()
        if name.lower() not in (*STEP_NAMES, *BESIDE) and not name.endswith(BOUNDS)
    }
    numeric = {name: column for name, column in curves.items() if _is_numeric(column)}
    odd = _odd_cells(file, numeric, places)
    numbers = {
        name: [None if _is_empty(cell) else as_value(cell) for cell in column]
        for name, column in numeric.items()
        if name not in odd
    }
    sparse = [name for name, found in numbers.items() if _is_sparse(found)]
    points = {
        name: [
            (_name(file, name), step, value)
            for step, value in zip(at, found, strict=True)
            if step is not None and value is not None and not (name in sparse and math.isnan(value))
        ]
        for name, found in numbers.items()
    }
    notes = _wide_notes(
        text=[name for name in curves if name not in numeric],
        odd=list(odd.values()),
        sparse=sparse,
        again=[name for name in columns if re.search(r" \(column \d+\)$", name)],
    )
    return Readings(_by_run(file, points), (*left_out.notes(), *notes))


def _steps(cells: Sequence[str], places: Sequence[str], left_out: Omissions) -> list[int | None]:
    """The step of each row; rows without one are left out."""
    steps = [
        as_step(cell.replace(",", "") if THOUSANDS.fullmatch(cell) else cell) for cell in cells
    ]
    for step, cell, place in zip(steps, cells, places, strict=True):
        if step is None:
            shown = f"'{cell[:LONGEST_CELL]}'"
            left_out.add("a row without a whole number as its step", place, shown)
    return steps


def _wide_notes(
    *, text: Sequence[str], odd: Sequence[str], sparse: Sequence[str], again: Sequence[str]
) -> Iterator[str]:
    """What was left out of a wide table, or read in a way that a reader has to know."""
    if text:
        yield f"left out: {listed(text, 4)} (no numbers)"
    if odd:
        yield f"left out: {listed(odd, SHOWN)}"
    if sparse:
        yield f"nan between the numbers of {listed(sparse, 4)} is taken for an empty cell"
    if again:
        yield f"left out: {listed(again, 4)} (an earlier column has the same name)"


def _from_long(file: Path, columns: Mapping[str, Sequence], places: Iterable[str]) -> Readings:
    missing = [name for name in LONG if name not in columns]
    if missing:
        raise LabError(
            f"{file} has no column '{missing[0]}': a table of curves has run_id, metric, step and "
            "value."
        )
    left_out = Omissions()
    points: dict[str, list[Point]] = defaultdict(list)
    rows = zip(places, *(columns[name] for name in LONG), strict=True)
    for place, run, metric, step_cell, value_cell in rows:
        step, value = as_step(step_cell), as_value(value_cell)
        if step is None or value is None:
            left_out.add("a row without a whole step or a value", place)
        else:
            points[str(run)].append((str(metric), step, value))
    return Readings(points, left_out.notes())


def _cells(file: Path) -> Cells:
    rows = read_rows(file)
    if not rows:
        raise LabError(
            f"{file} is empty: wait until the run has written its first step, or give another file."
        )
    _, (first, *others) = rows[0]
    header = [first.removeprefix(COMMENT).strip(), *others]
    # some programs write the header again when they go on
    body = [(line, row) for line, row in rows if row != [first, *others]]
    for line, row in body:
        if len(row) != len(header):
            raise LabError(
                f"{file}, line {line}: it has {len(row)} cells and the header {len(header)}; "
                "correct or remove that line."
            )
    columns = zip(*(row for _, row in body), strict=True) if body else [()] * len(header)
    return Cells([line for line, _ in body], _columns_by_name(header, columns))


def _columns_by_name(
    header: Sequence[str], columns: Iterable[Sequence[str]]
) -> dict[str, Sequence[str]]:
    """The columns by name; of several of one name, the first with anything in it has it."""
    named: dict[str, Sequence[str]] = {}
    for place, (name, column) in enumerate(zip(header, columns, strict=True), start=1):
        if name in named and not any(named[name]):
            del named[name]
        named[f"{name}{SECOND.format(place)}" if name in named else name] = column
    return named


def _is_empty(cell: str) -> bool:
    return cell.lower() in EMPTY


def _is_numeric(cells: Iterable[str]) -> bool:
    """Whether the first cell with anything in it is a number, if there is one."""
    first = next((cell for cell in cells if not _is_empty(cell)), "0")
    return as_value(first) is not None


def _odd_cells(
    file: Path, columns: Mapping[str, Sequence[str]], places: Sequence[str]
) -> dict[str, str]:
    """A few words on the first cell of a column that is not a number, for each that has one.

    Raises:
        LabError: it is a column that we know.
    """
    odd = {}
    for name, column in columns.items():
        for cell, place in zip(column, places, strict=True):
            if _is_empty(cell) or as_value(cell) is not None:
                continue
            said = f"'{cell[:LONGEST_CELL]}'"
            if canonical(name) in WORDS:
                raise LabError(
                    f"{file}, {place}: {said} in the column '{name}' is not a number; correct "
                    "that cell or remove it."
                )
            odd[name] = f"{name} ({said} in {place} is not a number)"
            break
    return odd


def _is_sparse(numbers: Sequence[float | None]) -> bool:
    """Whether nan stands for steps at which nothing was logged, as in the frames of pandas.

    This is so if at least every second value is nan, and numbers come back after nan repeatedly.
    """
    known = [math.isnan(number) for number in numbers if number is not None]
    n_returns = sum(before and not after for before, after in pairwise(known))
    return sum(known) >= len(known) // 2 and n_returns > 1


def _by_run(file: Path, points: Mapping[str, list[Point]]) -> dict[str, list[Point]]:
    """The points of each run, given those of each column; the file is one run unless columns of
    Weights & Biases name several."""
    run_of = {column: column.rpartition(" - ")[0] for column in points}
    are_several = len(set(run_of.values()) - {""}) > 1
    runs: dict[str, list[Point]] = defaultdict(list)
    for column, found in points.items():
        runs[(run_of[column] if are_several else "") or file.name] += found
    return runs


def _name(file: Path, column: str) -> str:
    """The curve's name; a file that TensorBoard's page saves has it in its own."""
    tag = re.search(r"tag-(.+)\.csv$", file.name)
    return tag[1] if tag and column.lower() == "value" else column

"""Bars from a CSV file of one's own, checked before anything is computed."""

import csv
import math
import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pandas as pd

from llmlab.market.bars.bars import COLUMNS, Bars, checked
from llmlab.market.bars.stock_splits import adjusted, refuse_splits
from llmlab.method.errors import LabError
from llmlab.method.files import read_text

NAMES = {
    "date": ("date", "day", "timestamp", "time", "datetime"),
    "adj_close": ("adj close", "adj_close", "adjusted close", "adjclose", "adjusted_close"),
    **{column: (column,) for column in COLUMNS},
}
"""What files call the columns, in lower case."""
NEEDED = ("date", "open", "high", "low", "close", "volume")
EARLIEST, LATEST = 1, 9999
"""Years that a date may have: those of Python's calendar."""
LONGEST_CELL = 40
"""Characters of a cell that a message repeats."""
ZONE = re.compile(r"(Z|[+-]\d\d:?\d\d| [A-Z]{3,4})$")


def read_csv(path: Path, jumps: str = "refuse") -> Bars:
    """The bars in a file with a column for the date, for each price and for the volume.

    Args:
        jumps: what to do where a price falls by a simple ratio overnight, as at a split: "refuse",
            "adjust" the prices before, or "keep" them.

    Raises:
        LabError: no such file, a column is missing, a date or number cannot be read or has a time
            zone or a decimal comma, dates are not rising, a bar cannot be, or a split stands in it.
    """
    if jumps not in ("refuse", "adjust", "keep"):
        raise LabError(f"--jumps {jumps}: it can be refuse, adjust or keep.")
    header, rows = _cells(path)
    places = _places(path, header)
    dates = [_date(path, line, row[places["date"]]) for line, row in rows]
    numbers = {
        column: [_number(path, line, column, row[place]) for line, row in rows]
        for column, place in places.items()
        if column != "date"
    }
    frame = pd.DataFrame(numbers, index=pd.DatetimeIndex(dates, name="date"))
    bars = checked(Bars(path.stem, frame, source=str(path)))
    if jumps == "keep":
        return Bars(bars.name, frame[list(COLUMNS)], bars.source, notes=("jumps were kept",))
    return adjusted(bars) if jumps == "adjust" else refuse_splits(bars)


def _cells(path: Path) -> tuple[list[str], list[tuple[int, Sequence[str]]]]:
    if not path.is_file():
        raise LabError(f"there is no file {path}: give the path of a CSV file of bars.")
    text = read_text(path)
    first = text.split("\n", 1)[0]
    reader = csv.reader(StringIO(text), delimiter=max(",;\t", key=first.count))
    try:
        rows = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        raise LabError(
            f"{path} is no CSV up to line {reader.line_num} ({error}): look for a quote that is "
            "not closed."
        ) from error
    if len(rows) < 2:
        raise LabError(f"{path} has no bars: its first line names columns, each other is one day.")
    (_, header), *body = rows
    for line, row in body:
        if len(row) != len(header):
            raise LabError(
                f"{path}, line {line}: it has {len(row)} cells and the header {len(header)}; if "
                "commas stand for decimals, use points, or semicolons between the cells."
            )
    return header, body


def _places(path: Path, header: Sequence[str]) -> dict[str, int]:
    lower = [name.strip().lower() for name in header]
    places = {
        column: lower.index(name)
        for column, names in NAMES.items()
        for name in names
        if name in lower
    }
    for column in NEEDED:
        if column not in places:
            raise LabError(
                f"{path} has no column '{column}': bars need {', '.join(NEEDED)} (it has "
                f"{', '.join(header)})."
            )
    return places


def _date(path: Path, line: int, cell: str) -> pd.Timestamp:
    cell = cell.strip()
    if ZONE.search(cell):
        raise LabError(
            f"{path}, line {line}: '{_short(cell)}' has a time zone; give the trading day "
            "alone, as in 2018-12-31."
        )
    try:
        date = pd.to_datetime(cell, format="ISO8601")
    except ValueError:
        date = pd.NaT
    if pd.isna(date) or not EARLIEST <= date.year <= LATEST:
        raise LabError(
            f"{path}, line {line}: '{_short(cell)}' is no date; write it as in 2018-12-31."
        )
    return pd.Timestamp(date).normalize()


def _number(path: Path, line: int, column: str, cell: str) -> float:
    cell = cell.strip()
    if not cell and column == "volume":
        return float("nan")
    try:
        number = float(cell)
        if math.isinf(number) or (column == "adj_close" and not number > 0):
            raise ValueError
    except ValueError as error:
        comma = "; use a point for decimals" if "," in cell else ""
        raise LabError(
            f"{path}, line {line}: '{_short(cell)}' in the column '{column}' is no "
            f"{'price' if column == 'adj_close' else 'number'}{comma}; correct or remove that line."
        ) from error
    return number


def _short(cell: str) -> str:
    """So much of a cell as a message has room for."""
    return cell if len(cell) <= LONGEST_CELL else f"{cell[:LONGEST_CELL]}…"

"""Read bars from a user's CSV file, checked before anything is computed."""

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pandas as pd

from llmlab.market.bars.bars import COLUMNS, Bars, checked
from llmlab.market.bars.stock_splits import adjusted, refuse_splits
from llmlab.method.delimited import read_rows
from llmlab.method.errors import LabError

NAMES = {
    "date": ("date", "day", "timestamp", "time", "datetime"),
    "adj_close": ("adj close", "adj_close", "adjusted close", "adjclose", "adjusted_close"),
    **{column: (column,) for column in COLUMNS},
}
"""Names of the columns in files, in lower case, best first."""
NEEDED = ("date", "open", "high", "low", "close")
"""An index may have no volume."""
EARLIEST, LATEST = 1, 9999
"""First and last year of Python's calendar."""
LONGEST_CELL = 40
"""Most characters of a cell that a message repeats."""
ZONE = re.compile(r"(Z|[+-]\d\d:?\d\d| [A-Z]{3,4})$")


def read_csv(path: Path, jumps: str = "refuse") -> Bars:
    """Read bars from a file with columns for the date, each price and, if there is one, the volume.

    The newest may stand first, as in many exports.

    Args:
        jumps: what to do if a price falls overnight by a simple ratio, as at a split: "refuse",
            "adjust" earlier prices, or "keep" them.

    Raises:
        LabError: the file or a column is missing; a date or number cannot be read, or has a time
            zone or a decimal comma; dates are not rising; a bar is invalid; or there is a split.
    """
    if jumps not in ("refuse", "adjust", "keep"):
        raise LabError(f"unknown value in --jumps {jumps}; use refuse, adjust or keep.")
    header, rows = _cells(path)
    places = _places(path, header)
    dates = [_date(path, line, row[places["date"]]) for line, row in rows]
    if all(later > earlier for later, earlier in pairwise(dates)):
        rows, dates = rows[::-1], dates[::-1]
    numbers = {
        column: [_number(path, line, column, row[place]) for line, row in rows]
        for column, place in places.items()
        if column != "date"
    }
    numbers.setdefault("volume", [math.nan] * len(rows))
    frame = pd.DataFrame(numbers, index=pd.DatetimeIndex(dates, name="date"))
    bars = checked(Bars(path.stem, frame, source=str(path)))
    if jumps == "keep":
        return Bars(bars.name, frame[list(COLUMNS)], bars.source, notes=("jumps were kept",))
    return adjusted(bars) if jumps == "adjust" else refuse_splits(bars)


def _cells(path: Path) -> tuple[list[str], list[tuple[int, Sequence[str]]]]:
    if not path.exists():  # it may be a pipe
        raise LabError(f"there is no file {path}; give the path of a CSV file of bars.")
    rows = read_rows(path)
    if len(rows) < 2:
        raise LabError(
            f"{path} has no bars; give one line of column names and then one line per day."
        )
    (header_line, header), *body = rows
    for line, row in body:
        if len(row) != len(header):
            raise LabError(
                f"{path}, line {line}: it has {len(row)} cells, but the header in line "
                f"{header_line} has {len(header)}; if commas mark decimals, separate cells with "
                "semicolons; else correct one of these lines."
            )
    return header, body


def _places(path: Path, header: Sequence[str]) -> dict[str, int]:
    lower = [name.strip().lower() for name in header]
    found = {
        column: name
        for column, names in NAMES.items()
        if (name := next(filter(lower.__contains__, names), None))
    }
    if twice := [name for name in found.values() if lower.count(name) > 1]:
        raise LabError(f"{path} has two columns named '{twice[0]}'; remove or rename one of them.")
    places = {column: lower.index(name) for column, name in found.items()}
    for column in NEEDED:
        if column not in places:
            raise LabError(
                f"{path} has no column '{column}'; name it so: bars need {', '.join(NEEDED)} "
                f"(found {', '.join(header)})."
            )
    return places


def _date(path: Path, line: int, cell: str) -> pd.Timestamp:
    cell = cell.strip()
    if ZONE.search(cell):
        raise LabError(
            f"{path}, line {line}: '{_short(cell)}' has a time zone; give only the trading day, "
            "as in 2018-12-31."
        )
    try:
        date = pd.to_datetime(cell, format="ISO8601")
    except ValueError:
        date = pd.NaT
    if pd.isna(date) or not EARLIEST <= date.year <= LATEST:
        raise LabError(
            f"{path}, line {line}: '{_short(cell)}' is not a date; write it as in 2018-12-31."
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
        comma = "; use a point for decimals, and no commas" if "," in cell else ""
        raise LabError(
            f"{path}, line {line}: '{_short(cell)}' in the column '{column}' is not a "
            f"{'price' if column == 'adj_close' else 'number'}{comma}; correct or remove that line."
        ) from error
    return number


def _short(cell: str) -> str:
    """A cell, shortened for a message."""
    return cell if len(cell) <= LONGEST_CELL else f"{cell[:LONGEST_CELL]}…"

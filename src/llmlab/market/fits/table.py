"""Read runs from a CSV file with columns of parameters, tokens and loss, checked cell by cell."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from llmlab.market.fits.law import Runs
from llmlab.method.declare.catalog import suggestion
from llmlab.method.delimited import read_rows
from llmlab.method.documents import listed
from llmlab.method.errors import LabError

SHOWN = 12
"""Most names that a message lists."""
FEWEST_SIZES = 3
"""Fewest distinct values of a size for an exponent and a floor."""


@dataclass(frozen=True)
class Table:
    """The rows of a CSV file as text.

    Attributes:
        lines: line number of each row in the file.
    """

    file: Path
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    lines: tuple[int, ...]

    def where(self, column: str, wanted: str) -> "Table":
        """The rows with a given value in a column.

        Raises:
            LabError: there is no such column or no such row.
        """
        self.require(column)
        kept = [n for n, row in enumerate(self.rows) if _same(row[column], wanted)]
        if not kept:
            there = sorted({row[column] for row in self.rows})
            raise LabError(
                f"{self.file} has no row with {column} = {wanted}{suggestion(wanted, there)}; "
                f"choose from {listed(there, SHOWN)}."
            )
        rows, lines = (tuple(items[n] for n in kept) for items in (self.rows, self.lines))
        return Table(self.file, self.columns, rows, lines)

    def require(self, column: str) -> None:
        """Raise LabError if there is no such column."""
        if column not in self.columns:
            raise LabError(
                f"{self.file} has no column '{column}'{suggestion(column, self.columns)}; choose "
                f"from {listed(self.columns, SHOWN)}."
            )

    def positive(self, column: str) -> np.ndarray:
        """A column of positive numbers.

        Raises:
            LabError: there is no such column, or one of its cells is not a positive number.
        """
        self.require(column)
        cells = [row[column] for row in self.rows]
        return np.array(
            [
                self._positive(cell, column, line)
                for cell, line in zip(cells, self.lines, strict=True)
            ]
        )

    def _positive(self, cell: str, column: str, line: int) -> float:
        number = _number(cell)
        if number is None or not math.isfinite(number) or number <= 0:
            raise LabError(
                f"{self.file}, line {line}: {_what_is_wrong(cell, number)} in the column "
                f"'{column}', which needs positive numbers; correct or remove that line, or choose "
                "rows with --where COLUMN=VALUE."
            )
        return number


def read_table(file: Path) -> Table:
    """Read a CSV file with a header line; commas, semicolons, tabs or bars separate cells.

    Raises:
        LabError: the file does not exist, is not a table, or has no rows.
    """
    if not file.exists():  # it may be a pipe
        raise LabError(f"there is no file {file}; give the path of a CSV file of runs.")
    (header_line, columns), *rows = read_rows(file, ",;\t|") or [(1, [])]
    if not rows:
        raise LabError(
            f"{file} has no rows; give one line of column names and then one line per run."
        )
    repeated = [name for name in columns if columns.count(name) > 1]
    if repeated:
        raise LabError(f"{file} has two columns named '{repeated[0]}'; rename one of them.")
    for line, row in rows:
        if len(row) != len(columns):
            raise LabError(
                f"{file}, line {line}: it has {len(row)} cells, but the header in line "
                f"{header_line} has {len(columns)}; correct or remove one of them."
            )
    return Table(
        file,
        tuple(columns),
        tuple(dict(zip(columns, row, strict=True)) for _, row in rows),
        tuple(line for line, _ in rows),
    )


def runs_of(table: Table, sizes: Mapping[str, str | None], loss: str) -> Runs:
    """Extract the runs of a table.

    Args:
        sizes: the columns of "params" and "tokens"; None omits one.

    Raises:
        LabError: a column is missing, a cell is not a positive number, or there are too few runs.
    """
    columns = {name: column for name, column in sizes.items() if column is not None}
    if len({loss, *columns.values()}) <= len(columns):
        raise LabError(
            f"--{', --'.join([*columns, 'loss'])} name one column twice; name a column for each."
        )
    if not columns:
        raise LabError(
            "a law needs at least one size; name its column with --params, --tokens, or both."
        )
    runs = Runs({name: table.positive(c) for name, c in columns.items()}, table.positive(loss))
    n_parameters = 1 + 2 * len(columns)
    if len(runs) <= n_parameters:
        raise LabError(
            f"{table.file} has {len(runs)} runs, too few for a law with {n_parameters} parameters; "
            f"give at least {n_parameters + 1}, or fit only one size."
        )
    for name, column in columns.items():
        n_values = len(set(runs.sizes[name]))
        if n_values < FEWEST_SIZES:
            found = "one value" if n_values == 1 else f"{n_values} values"
            raise LabError(
                f"the column '{column}' of {table.file} has only {found}, and an exponent needs "
                f"at least {FEWEST_SIZES}; add runs of other sizes, or leave out --{name}."
            )
    return runs


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _what_is_wrong(cell: str, number: float | None) -> str:
    if not cell:
        return "an empty cell"
    if number is not None:
        return f"{cell} stands"
    if cell[:-1].replace(".", "", 1).isdigit() and cell[-1] in "kKmMbBgGtT":
        return f"'{cell}' stands, not a plain number such as 7e9,"
    if "," in cell:
        return f"'{cell}' stands, with a comma instead of a plain number such as 1250.5,"
    return f"'{cell}' is not a number"


def _same(cell: str, wanted: str) -> bool:
    return cell == wanted or (_number(cell) is not None and _number(cell) == _number(wanted))

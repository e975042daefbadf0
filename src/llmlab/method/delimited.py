"""Tables in text files, as spreadsheets in many languages export them."""

import csv
import io
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from llmlab.method.errors import LabError

DECIMAL_COMMA = re.compile(r"[+-]?(\d+|[1-9]\d{0,2}(\.\d{3})+),\d+([eE][+-]?\d+)?")
"""A number with a decimal comma, as in files that separate cells by semicolons."""
POINTED_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+")
"""A whole number with points between thousands; 1.234 may be a fraction instead."""
COMMENT = "#"
"""Begins lines before the header, or the header itself, as `numpy` writes it."""
SEPARATOR = "sep="
"""Begins a first line that tells Excel the delimiter."""
LONGEST_PREAMBLE = 20
"""Lines in which a header is looked for."""


def delimiter_of(text: str, among: str = ",;\t") -> str:
    """The delimiter of a table's cells: what Excel is told, or that of the first line with any."""
    lines = text.split("\n", LONGEST_PREAMBLE)[:LONGEST_PREAMBLE]
    if lines[0].startswith(SEPARATOR) and lines[0][len(SEPARATOR) :].strip(" ") in [*among]:
        return lines[0][len(SEPARATOR)]
    first = next((line for line in lines if any(mark in line for mark in among)), "")
    return max(among, key=first.count)


def numbered_rows(path: Path, text: str, delimiter: str) -> list[tuple[int, Sequence[str]]]:
    """The header and the rows after it that are not blank, each with the number of its line.

    Args:
        path: what error messages call the text.

    Raises:
        LabError: it is not valid CSV.
    """
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        found = [
            (reader.line_num, [*map(str.strip, row)]) for row in reader if any(map(str.strip, row))
        ]
    except csv.Error as error:
        raise LabError(
            f"{path}, line {reader.line_num}: not valid CSV ({error}); correct that line."
        ) from error
    return found[rows_before_header([row for _, row in found]) :]


def rows_before_header(rows: Sequence[Sequence[str]]) -> int:
    """The number of rows before the header: comments and titles, shorter than the next row."""
    n_before = 0
    for row, after in pairwise(rows):
        is_comment = row[0].startswith((COMMENT, SEPARATOR)) and not len(row) == len(after) > 1
        is_title = row[0] and not any(row[1:]) and any(after[1:])
        if not (is_comment or is_title):
            break
        n_before += 1
    return n_before


def with_points(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The cells, with decimal commas replaced by points.

    Points then separate thousands, unless another number has a decimal point.
    """
    cells = {cell for row in rows for cell in row}
    commas = {cell for cell in cells if DECIMAL_COMMA.fullmatch(cell)}
    thousands = {cell for cell in cells if POINTED_THOUSANDS.fullmatch(cell)}
    fractions = (cell for cell in cells - commas - thousands if "." in cell)
    if commas and not any(map(_is_number, fractions)):
        commas |= thousands
    return [
        [cell.replace(".", "").replace(",", ".") if cell in commas else cell for cell in row]
        for row in rows
    ]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True

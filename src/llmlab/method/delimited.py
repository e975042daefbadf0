"""Tables in text files, as spreadsheets in many languages export them."""

import csv
import io
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from llmlab.method.errors import LabError
from llmlab.method.files import read_text

DECIMAL_COMMA = re.compile(r"[+-]?(\d+|[1-9]\d{0,2}(\.\d{3})+),\d+([eE][+-]?\d+)?")
"""A number with a decimal comma, as in files that separate cells by semicolons."""
POINTED_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+")
"""A whole number with points between thousands; 1.234 may be a fraction instead."""
DECIMAL_POINT = re.compile(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
"""A whole number with commas between thousands; 1,234 may have a decimal comma instead."""
COMMENT = "#"
"""Begins lines before the header, or the header itself, as `numpy` writes it."""
SEPARATOR = "sep="
"""Begins a first line that tells Excel the delimiter."""
LONGEST_PREAMBLE = 20
"""Lines in which a header is looked for."""


def read_rows(path: Path, among: str = ",;\t") -> list[tuple[int, list[str]]]:
    """As `rows_of`, of a file; LabError if it cannot be read, too."""
    return rows_of(path, read_text(path), among)


def rows_of(
    path: Path, text: str, among: str = ",;\t", *, quoted_commas: bool = False
) -> list[tuple[int, list[str]]]:
    """The header of a table and the rows after it that are not blank, each with its line.

    Decimal commas become points if semicolons separate the cells.

    Args:
        path: what error messages call the text.
        among: characters that may separate cells.
        quoted_commas: whether they do so, too, if a comma stands where none can part thousands, as
            in "0,85".

    Raises:
        LabError: it is not valid CSV.
    """
    delimiter = _delimiter(text, among)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        found = [
            (reader.line_num, [*map(str.strip, row)]) for row in reader if any(map(str.strip, row))
        ]
    except csv.Error as error:
        raise LabError(
            f"{path}, line {reader.line_num}: not valid CSV ({error}); correct that line, or close "
            "a quote before it."
        ) from error
    table = found[_rows_before_header([row for _, row in found]) :]
    cells = {cell for _, row in table for cell in row}
    commas = _decimal_commas(cells, is_sure=delimiter == ";", may_show=quoted_commas)
    pointed = {cell: cell.replace(".", "").replace(",", ".") for cell in commas}
    return [(line, [pointed.get(cell, cell) for cell in row]) for line, row in table]


def _delimiter(text: str, among: str) -> str:
    """The delimiter of a table's cells: what Excel is told, or that of the first line with any."""
    lines = text.split("\n", LONGEST_PREAMBLE)[:LONGEST_PREAMBLE]
    if lines[0].startswith(SEPARATOR) and lines[0][len(SEPARATOR) :].strip(" ") in [*among]:
        return lines[0][len(SEPARATOR)]
    first = next((line for line in lines if any(mark in line for mark in among)), "")
    return max(among, key=first.count)


def _rows_before_header(rows: Sequence[Sequence[str]]) -> int:
    """The number of rows before the header: comments and titles, shorter than the next row."""
    n_before = 0
    for row, after in pairwise(rows):
        is_comment = row[0].startswith((COMMENT, SEPARATOR)) and not len(row) == len(after) > 1
        is_title = row[0] and not any(row[1:]) and any(after[1:])
        if not (is_comment or is_title):
            break
        n_before += 1
    return n_before


def _decimal_commas(cells: set[str], *, is_sure: bool, may_show: bool) -> set[str]:
    """The numbers with a decimal comma; none if commas may part thousands.

    Points then separate thousands, unless another number has a decimal point.

    Args:
        is_sure: whether commas mark decimals.
        may_show: whether one that cannot part thousands shows it.
    """
    commas = {cell for cell in cells if DECIMAL_COMMA.fullmatch(cell)}
    is_shown = may_show and any(not THOUSANDS.fullmatch(cell) for cell in commas)
    if not commas or not (is_sure or is_shown):
        return set()
    thousands = {cell for cell in cells if POINTED_THOUSANDS.fullmatch(cell)}
    has_points = any(DECIMAL_POINT.fullmatch(cell) for cell in cells - thousands)
    return commas if has_points else commas | thousands

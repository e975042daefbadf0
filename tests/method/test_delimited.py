"""Tables as spreadsheets export them, row by row."""

from pathlib import Path

import pytest

from llmlab.method.delimited import read_rows, rows_of
from llmlab.method.errors import LabError


def rows(text: str, **options: object) -> list[tuple[int, list[str]]]:
    return rows_of(Path("table.csv"), text, **options)


@pytest.mark.parametrize(
    "text",
    [
        "step,loss\n0,3\n\n1,2\n",
        "step; loss \n0; 3\n;\n1;2\n",
        'step\tloss\n0\t"3"\n \t\n1\t2',
    ],
)
def test_a_row_is_named_by_its_line(text: str) -> None:
    assert rows(text) == [(1, ["step", "loss"]), (2, ["0", "3"]), (4, ["1", "2"])]


@pytest.mark.parametrize("title", ["sep=,", "# speeds", "speeds,"])
def test_what_stands_before_the_header_is_left_out(title: str) -> None:
    assert rows(f"{title}\nstep,loss\n0,3\n") == [(2, ["step", "loss"]), (3, ["0", "3"])]


def test_another_separator_is_found_only_if_it_is_asked_for() -> None:
    assert rows("step|loss\n") == [(1, ["step|loss"])]
    assert rows("step|loss\n", among=",|") == [(1, ["step", "loss"])]


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("1.024;5,5;a,b", ["1024", "5.5", "a,b"]),
        ("1.024;5,5;0.25", ["1.024", "5.5", "0.25"]),
        ("1.024;5;6", ["1.024", "5", "6"]),
        ("1.024,5;-1,5e3;", ["1024.5", "-1.5e3", ""]),
    ],
)
def test_decimal_commas_become_points_between_semicolons(row: str, cells: list[str]) -> None:
    assert rows(f"x;y;z\n{row}\n")[1] == (2, cells)


@pytest.mark.parametrize(
    ("row", "asked", "cells"),
    [
        ('"5,5","1,024"', True, ["5.5", "1.024"]),
        ('"5,5","1,024"', False, ["5,5", "1,024"]),
        ('"1,024","2,048"', True, ["1,024", "2,048"]),
    ],
)
def test_a_comma_that_parts_no_thousands_shows_that_commas_mark_decimals(
    row: str, asked: bool, cells: list[str]
) -> None:
    assert rows(f"x,y\n{row}\n", quoted_commas=asked)[1] == (2, cells)


def test_a_file_is_read_without_its_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("step|loss\n", encoding="utf-8-sig")
    assert read_rows(path, ",|") == [(1, ["step", "loss"])]


def test_a_quote_that_is_never_closed_is_named() -> None:
    with pytest.raises(LabError, match=r"line 3: not valid CSV .* close a quote"):
        rows('step,loss\n0,"3\n1,2')

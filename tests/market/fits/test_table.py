"""Tables of runs, cell by cell."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.market.fits.table import read_table, runs_of
from llmlab.method.errors import LabError

TEXT = "set,params,loss\na,1e6,3.0\nb,2e6,2.5\na,4e6,2.0\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "runs.csv"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_rows_are_kept_with_their_lines(file: Path) -> None:
    chosen = read_table(file).where("set", "a")
    assert chosen.lines == (2, 4)
    np.testing.assert_array_equal(chosen.positive("params"), [1e6, 4e6])


def test_a_value_that_no_row_has_names_what_there_is(file: Path) -> None:
    with pytest.raises(LabError, match=r"no row with set = c.*; choose from a, b"):
        read_table(file).where("set", "c")


def test_a_law_needs_a_size(file: Path) -> None:
    with pytest.raises(LabError, match="needs at least one size"):
        runs_of(read_table(file), {"params": None, "tokens": None}, "loss")


@given(st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=8))
def test_positive_numbers_come_back_as_they_were(tmp_path_factory, numbers: list[float]) -> None:
    path = tmp_path_factory.mktemp("table") / "runs.csv"
    path.write_text("loss\n" + "\n".join(map(repr, numbers)) + "\n", encoding="utf-8")
    np.testing.assert_array_equal(read_table(path).positive("loss"), numbers)

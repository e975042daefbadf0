from dataclasses import replace

import pytest

from llmlab.sleep.koans.check import check_koans
from llmlab.sleep.koans.koan import Case, Koan, builtin_koans
from llmlab.sleep.sandbox.sandbox import Unguarded

KOAN = Koan(
    name="one",
    family="names",
    language="python",
    error="NameError",
    start="def f(n):\n    return m",
    solution="def f(n):\n    return n",
    cases=(Case("f(1)", "1"),),
)


@pytest.mark.usefixtures("needs_rust")
def test_every_koan_of_the_lab_is_red_for_its_reason_and_green_when_solved() -> None:
    checked = check_koans(builtin_koans(), Unguarded())
    assert {found.koan.name: found.fault for found in checked if found.fault} == {}


def fault(**changes: str) -> str:
    (found,) = check_koans([replace(KOAN, **changes)], Unguarded())
    return found.fault


def test_a_right_koan_has_no_fault() -> None:
    assert fault() == ""


def test_a_start_that_is_green_is_a_fault() -> None:
    assert fault(start=KOAN.solution) == "its start is green already"


def test_a_start_that_is_red_for_another_reason_is_a_fault() -> None:
    assert "red for TypeError" in fault(start="def f():\n    return 1")


def test_a_solution_that_is_red_is_a_fault() -> None:
    assert "its solution is red: wrong" in fault(solution="def f(n):\n    return 0")

"""Edits: read strictly, applied whole or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.sleep.repair.edits import Edit, EditError, difference, read_edit, shown

CODE = "def add(left):\n    right = 2\n    return left\n"
line = st.text(alphabet="ab |0= ", max_size=6)
program = st.lists(line, min_size=1, max_size=7).map(
    lambda lines: "\n".join(lines).rstrip("\n") + "\n"
)


def test_a_line_is_replaced_and_the_words_around_it_are_passed_over():
    answer = "Here you are:\n```\n3|    return left + right\n```\nDone."
    assert read_edit(answer).apply(CODE) == CODE.replace("return left", "return left + right")


def test_a_number_that_is_repeated_puts_in_several_lines():
    assert read_edit("2|    a = 1\n2|    b = 2").apply(CODE).split("\n")[1:3] == [
        "    a = 1",
        "    b = 2",
    ]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("", "no line of the form"),
        ("I cannot help.", "no line of the form"),
        ("0|x", "no line 0"),
        ("9|x", "no line 9"),
        ("2|    right = 2", "changes nothing"),
        ("1|x\n" * 300, "more than 200 lines"),
        ("1|" + "x" * 30_000, "longer than"),
        ("９９|x", "no line"),
    ],
)
def test_what_is_no_edit_says_why(answer, why):
    with pytest.raises(EditError, match=why):
        read_edit(answer).apply(CODE)


@given(program, program)
def test_the_difference_of_two_programs_leads_from_one_to_the_other(before, after):
    if before == after:
        return
    edit = difference(before, after)
    try:
        changed = read_edit(edit.text()).apply(before)
    except EditError:
        # a line was taken off the end, and an edit leaves it empty
        assert after.rstrip("\n") == before.rstrip("\n")
        return
    assert [x for x in changed.split("\n") if x] == [x for x in after.split("\n") if x]


def test_programs_are_shown_as_edits_name_their_lines():
    assert shown("a\n\nb\n") == "1|a\n2|\n3|b"


def test_an_edit_is_written_in_the_order_of_its_lines():
    assert Edit({3: "c", 1: "a\nb"}).text() == "1|a\n1|b\n3|c"

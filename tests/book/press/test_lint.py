"""Typed result numbers are found wherever prose can hold them, and nothing else is."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.book.press.lint import check_prose, typed_numbers
from llmlab.method.errors import LabError
from llmlab.method.project import Project

# no integer of four digits: a year is let through
RESULTS = st.one_of(
    st.integers(0, 999).map(str),
    st.floats(0, 100, allow_nan=False).map(lambda x: f"{x:.3f}"),
    st.integers(0, 100).map(lambda x: f"{x} %"),
)
NO_RESULTS = [
    "`{}`",
    "```\n{}\n```",
    "$x = {}$",
    "$$\n{}\n$$",
    "[{}]{{.setting}}",
    "[text](page{}.html)",
    "![](figure.png){{width={}}}",
    "@fig-{}",
    "section {}",
    "<!-- {} -->",
    "https://example.org/{}",
]


def numbers_in(prose: str) -> list[str]:
    cell = "\n".join(f"# {line}" for line in prose.splitlines())
    return [typed.number for typed in typed_numbers(f"# %% [markdown]\n{cell}\n", "x.py")]


@given(RESULTS)
def test_a_result_in_a_sentence_is_found(number):
    assert numbers_in(f"Rank helps: recall rose to {number}, which is more.") == [number]


@given(RESULTS, st.sampled_from(NO_RESULTS))
def test_a_number_that_is_no_prose_is_let_through(number, frame):
    assert numbers_in(f"Look at {frame.format(number.replace(' ', ''))} here.") == []


@pytest.mark.parametrize(
    "prose",
    [
        "Hu et al. (2021) and [@hu2021lora], arXiv 2106.09685.",
        "GPT-2, H-LR-1, Llama-3.2-3B, an H200 in bf16.",
        "1. first\n2. second",
        "registered on 2026-11-20",
        "the 2nd of two",
        "see @sec-lora-8 and [^1]",
    ],
)
def test_names_years_and_lists_are_let_through(prose):
    assert numbers_in(prose) == []


@pytest.mark.parametrize(
    ("prose", "number"),
    [
        ("it took 2019.5 seconds", "2019.5"),
        ("a gain of -3 points", "-3"),
        ("about 1,024 runs", "1,024"),
        ("a loss of 1e-3", "1e-3"),
        ("2021 % more", "2021 %"),
        ("rank 8", "8"),
    ],
)
def test_look_alikes_are_found(prose, number):
    assert numbers_in(prose) == [number]


def test_strings_given_to_markdown_are_read_but_what_they_insert_is_not():
    text = 'f"""Recall is {value("lora_rank", "recall", rank=8)},\nup 12 %."""'
    source = f"x = 7\nMarkdown(\n    {text}\n)\n"
    (typed,) = typed_numbers(source, "x.py")
    assert (typed.number, typed.line) == ("12 %", 4)


def test_code_is_not_prose():
    assert typed_numbers("# %%\nrank = 8  # 64 is too much\n", "x.py") == []


def test_the_message_names_file_line_number_and_remedy(tmp_path):
    chapter = tmp_path / "chapters" / "results" / "x.py"
    chapter.parent.mkdir(parents=True)
    chapter.write_text("# %% [markdown]\n# # Title\n#\n# We got 93 % right.\n")
    with pytest.raises(LabError, match=r"chapters/results/x\.py:4: the number 93 % .*value\("):
        check_prose(Project(tmp_path))


def test_the_chapters_of_this_book_type_no_result():
    check_prose(Project.find(Path(__file__)))


def test_chapters_outside_results_and_learnings_are_free(tmp_path):
    chapter = tmp_path / "chapters" / "concepts" / "x.py"
    chapter.parent.mkdir(parents=True)
    chapter.write_text("# %% [markdown]\n# We got 93 % right.\n")
    check_prose(Project(tmp_path))

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.book import show
from llmlab.book.press import sources
from llmlab.book.press.sources import Inputs, code_of, inputs_of
from llmlab.method.errors import LabError

CHAPTERS = Path(__file__).parents[3] / "chapters"


def inputs(tmp_path, *lines):
    chapter = tmp_path / "chapter.py"
    chapter.write_text("\n".join(["# %%", *lines]))
    return inputs_of(chapter)


def test_calls_name_experiments_and_hypotheses(tmp_path):
    found = inputs(
        tmp_path,
        "from llmlab.book.show import value, verdict as judged",
        "from llmlab.book import show as s",
        "print(f\"{value('lora_rank', 'loss')}\")",
        "judged('H-1')",
        "s.table('learning_rate')",
    )
    assert found == Inputs(
        experiments=frozenset({"lora_rank", "learning_rate"}),
        hypotheses=frozenset({"H-1"}),
        everything=False,
        paths=frozenset(),
    )


def test_paths_are_found_and_prose_is_not(tmp_path):
    found = inputs(tmp_path, "open('chapters/hypotheses/a_1.toml')", "print('and/or so', 'name')")
    assert found.paths == {"chapters/hypotheses/a_1.toml"}


def test_the_ledger_reads_everything(tmp_path):
    assert inputs(tmp_path, "from llmlab.book.show import ledger", "ledger()").everything


def test_functions_of_others_do_not_count(tmp_path):
    found = inputs(tmp_path, "def value(x): return x", "value(y)", "axes.table('a')")
    assert found == Inputs(frozenset(), frozenset(), everything=False, paths=frozenset())


@pytest.mark.parametrize("argument", ["name", "f'{name}'", "'a' + 'b'", ""])
def test_an_expression_is_an_error_with_its_line(tmp_path, argument):
    with pytest.raises(LabError, match=r"chapter\.py, line 3"):
        inputs(tmp_path, "from llmlab.book.show import value", f"value({argument})")


def test_a_script_that_is_not_python_is_an_error(tmp_path):
    with pytest.raises(LabError, match="is not Python"):
        inputs(tmp_path, "value(")


@given(name=st.text(st.characters(categories=["L", "N"]), min_size=1))
def test_any_literal_is_found(tmp_path_factory, name):
    lines = ("from llmlab.book.show import value", f"value({name!r})")
    assert inputs(tmp_path_factory.mktemp("any"), *lines).experiments == {name}


def test_every_function_that_a_chapter_may_call_is_known():
    """A function of `show` that is not listed would leave the chapters that call it as they are."""
    offered = {
        name
        for name, thing in vars(show).items()
        if getattr(thing, "__module__", None) == show.__name__ and not name.startswith("_")
    }
    known = sources.OF_EXPERIMENT | sources.OF_HYPOTHESIS | sources.OF_EVERYTHING
    read_nothing = {"playground", "answer"}
    assert {name for name in offered if callable(getattr(show, name))} == known | read_nothing


def test_the_code_of_a_chapter_is_the_same_whatever_its_prose_says(tmp_path):
    chapter = tmp_path / "chapter.py"
    chapter.write_text("# %% [markdown]\n# # One\n\n# %%\n# a comment\nx = 1\n")
    code = code_of(chapter)
    chapter.write_text(
        "# %% [markdown]\n# # Two\n\n# %%\n# a comment\nx = 1\n\n# %% [markdown]\n# More.\n"
    )
    assert code_of(chapter) == code
    chapter.write_text("# %% [markdown]\n# # Two\n\n# %%\n# a comment\nx = 2\n")
    assert code_of(chapter) != code


def test_code_that_moves_to_another_cell_is_other_code(tmp_path):
    chapter = tmp_path / "chapter.py"
    chapter.write_text("# %%\nx = 1\nx\n")
    code = code_of(chapter)
    chapter.write_text("# %%\nx = 1\n\n# %%\nx\n")
    assert code_of(chapter) != code


@pytest.mark.parametrize("chapter", sorted(CHAPTERS.rglob("*.py")), ids=lambda path: path.stem)
def test_the_build_sees_what_each_chapter_of_the_book_depends_on(chapter):
    assert isinstance(inputs_of(chapter), Inputs)

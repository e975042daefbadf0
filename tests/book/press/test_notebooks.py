from dataclasses import replace

import nbformat
import pytest
from nbformat.v4 import new_output

from llmlab.book.press.contents import Chapter
from llmlab.book.press.notebooks import read_script, refresh, write_notebook
from llmlab.method.errors import LabError

SCRIPT = """# %% [markdown]
# # Title

# %%
# | label: fig-x
draw()

# %%
numbers()
"""


@pytest.fixture
def chapter(tmp_path) -> Chapter:
    """A chapter whose cells showed an image with its numbers, and a text."""
    source = tmp_path / "chapter.py"
    source.write_text(SCRIPT)
    notebook = read_script(source, "chapter.py")
    _, figure, numbers = notebook.cells
    figure.outputs = [_shown("image/png", "AAAA"), _shown("text/markdown", "below")]
    numbers.outputs = [_shown("text/markdown", "1")]
    made = Chapter("chapter", "", False, source, tmp_path / "chapter.ipynb")
    write_notebook(notebook, made.notebook)
    return made


def _shown(kind, content):
    return new_output("display_data", data={kind: content})


def _cells(chapter):
    return [
        (cell.source, [*cell.outputs[0].data.values()] if "outputs" in cell else None)
        for cell in nbformat.read(chapter.notebook, as_version=4).cells
    ]


EXECUTED = [
    ("# Title", None),
    ("#| label: fig-x\ndraw()", ["AAAA"]),
    ("#| echo: false", ["below"]),
    ("numbers()", ["1"]),
]


def test_new_prose_is_put_around_the_outputs(chapter):
    assert _cells(chapter) == EXECUTED
    chapter.source.write_text(
        SCRIPT.replace("# # Title", "# # Other") + "\n# %% [markdown]\n# More.\n"
    )
    refresh(chapter)
    assert _cells(chapter) == [("# Other", None), *EXECUTED[1:], ("More.", None)]


def test_a_chapter_may_be_all_prose(chapter):
    chapter.source.write_text("# %% [markdown]\n# # One\n")
    write_notebook(read_script(chapter.source, "chapter.py"), chapter.notebook)
    chapter.source.write_text("# %% [markdown]\n# # Two\n")
    refresh(chapter)
    assert _cells(chapter) == [("# Two", None)]


def test_prose_may_change_again(chapter):
    before = chapter.notebook.read_bytes()
    chapter.source.write_text(SCRIPT.replace("Title", "Other"))
    refresh(chapter)
    chapter.source.write_text(SCRIPT)
    refresh(chapter)
    assert chapter.notebook.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new"), [("draw()", "draw(2)"), ("fig-x", "fig-y"), ("\n# %%\nnumbers", "numbers")]
)
def test_code_that_was_not_executed_is_an_error(chapter, old, new):
    chapter.source.write_text(SCRIPT.replace(old, new))
    with pytest.raises(LabError, match="the code of chapter chapter has changed since"):
        refresh(chapter)


def test_a_chapter_that_was_not_executed_is_an_error(chapter):
    with pytest.raises(LabError, match="chapter has not been executed"):
        refresh(replace(chapter, notebook=chapter.notebook.with_name("none.ipynb")))

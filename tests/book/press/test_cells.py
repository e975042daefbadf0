import base64

import nbformat
import pytest
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
    new_raw_cell,
)

from llmlab.book.press.cells import Output, read_sheet
from llmlab.book.press.contents import CellOptions, Chapter
from llmlab.method.errors import LabError

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'/>"


def chapter_in(folder):
    return Chapter(
        name="chapter",
        part="",
        appendix=False,
        source=folder / "chapter.py",
        notebook=folder / "chapter.ipynb",
    )


def sheet(tmp_path, *cells, **defaults):
    chapter = chapter_in(tmp_path)
    nbformat.write(new_notebook(cells=list(cells)), chapter.notebook)
    return read_sheet(chapter, CellOptions.model_validate({"echo": False, **defaults}))


def shown(**data):
    data = {kind.replace("_", "/"): content for kind, content in data.items()}
    return new_output("display_data", data=data)


def test_code_stands_in_the_text_by_its_number(tmp_path):
    found = sheet(
        tmp_path,
        new_markdown_cell("# Title"),
        new_code_cell("x = 1", outputs=[shown(text_markdown="*one*")]),
        new_markdown_cell("After."),
    )
    assert found.markdown == "# Title\n\n```{=cell}\n0\n```\n\nAfter.\n"
    assert found.cells[0].outputs == (Output("markdown", text="*one*"),)


def test_options_decide_what_is_shown(tmp_path):
    source = "#| echo: true\n#| label: fig-x\n#| fig-cap: 'A: b'\n#| code-fold: true\nx = 1"
    cell = sheet(tmp_path, new_code_cell(source, outputs=[shown(text_plain="1")])).cells[0]
    assert (cell.code, cell.echo, cell.fold) == ("x = 1", True, "true")
    assert (cell.label, cell.caption, cell.alt) == ("fig-x", "A: b", "A: b")


@pytest.mark.parametrize("options", ["#| include: false\n", "#| output: false\n"])
def test_a_cell_that_shows_nothing_leaves_nothing(tmp_path, options):
    found = sheet(tmp_path, new_code_cell(options + "x = 1", outputs=[shown(text_plain="1")]))
    assert found.cells == ()
    assert "cell" not in found.markdown


def test_a_chapter_may_show_its_code(tmp_path):
    header = new_raw_cell("---\nexecute:\n  echo: true\ncode-fold: show\n---")
    cell = sheet(tmp_path, header, new_code_cell("x = 1")).cells[0]
    assert (cell.echo, cell.fold) == (True, "show")


def test_images_are_named_by_their_content(tmp_path):
    uri = "data:image/svg+xml;base64," + base64.b64encode(SVG).decode()
    found = sheet(
        tmp_path,
        new_code_cell("1", outputs=[shown(text_markdown=f"![drawn]({uri})")]),
        new_code_cell(
            "2", outputs=[new_output("display_data", data={"image/svg+xml": SVG.decode()})]
        ),
    )
    ((src, content),) = found.images.items()
    assert content == SVG
    assert found.cells[0].outputs[0].text == f"![drawn](/{src})"
    assert found.cells[1].outputs[0].src == src


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (new_markdown_cell("{{< include a.md >}}"), "chapter.py, cell 1 uses shortcodes"),
        (new_markdown_cell("A `{python} x`."), "uses inline"),
        (new_markdown_cell("::: {.panel-tabset}\n:::"), "uses tabsets"),
        (new_code_cell("#| fig-width: 3\n1"), "has the unknown option fig-width"),
        (new_code_cell("#| label: [\n1"), "not valid YAML"),
        (new_code_cell("#| label\n1"), "is not a list of names with values"),
    ],
)
def test_what_not_every_renderer_shows_is_an_error(tmp_path, cell, message):
    with pytest.raises(LabError, match=message):
        sheet(tmp_path, cell)


def test_a_chapter_that_was_not_executed_is_an_error(tmp_path):
    with pytest.raises(LabError, match="run `llmlab book execute chapter`, or `make`"):
        read_sheet(chapter_in(tmp_path), {})

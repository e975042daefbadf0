"""Notebooks between a chapter's script and the renderers: create, store, read, refresh.

A notebook stores the digest of its script. If only the prose of a script has changed, it need not
be executed again: the new text is combined with the old outputs.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from llmlab.book.press.contents import Chapter
from llmlab.method.documents import in_one_line
from llmlab.method.errors import LabError
from llmlab.method.files import read_text, write_file

SCRIPT = "script_sha256"
"""The key of the script's digest in the metadata of a notebook."""

CONTINUED = "#| echo: false"
"""The source of a cell with the outputs that followed a figure's image in the cell before."""


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_FIGURE = re.compile(r"^#\| label: *fig-", re.MULTILINE)
_TITLE = re.compile(r"^# .*$", re.MULTILINE)
_OPTION = re.compile(r"^# ?\| ?", re.MULTILINE)


def read_script(source: Path, name: str) -> NotebookNode:
    """Convert a percent script to a notebook without outputs.

    Args:
        name: its name in error messages.

    Raises:
        LabError: the script is missing, or is not a percent script.
    """
    if not source.is_file():
        raise LabError(f"{name} is missing; write it as a percent script below chapters/.")
    text = read_text(source, name)
    try:
        notebook = jupytext.reads(text, fmt="py:percent")
    except Exception as error:  # whatever jupytext and its parsers raise
        raise LabError(
            f"{name} is not a percent script: {in_one_line(error)}; correct it."
        ) from None
    notebook.metadata[SCRIPT] = _digest(text)
    for cell in code_cells(notebook):  # formatters turn `#|` into `# |`
        cell.source = _OPTION.sub("#| ", cell.source)
    return notebook


def write_notebook(notebook: NotebookNode, out: Path) -> None:
    """Write an executed notebook without anything that varies between executions."""
    notebook.metadata = NotebookNode(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            SCRIPT: notebook.metadata[SCRIPT],
        }
    )
    notebook.cells = [part for cell in notebook.cells for part in _one_figure(cell)]
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"cell-{number}"
        cell.metadata = NotebookNode()
    write_file(out, nbformat.writes(notebook) + "\n")


def read_notebook(chapter: Chapter) -> NotebookNode:
    """Read the executed notebook of a chapter.

    Raises:
        LabError: the chapter is not executed, or its notebook is damaged.
    """
    text = read_text(chapter.executed(), f"the notebook of {chapter.name}")
    try:
        # nbformat.reads prints what is wrong before anyone can catch it
        notebook = nbformat.v4.reads(text)
        nbformat.validate(notebook, version=4)
        if _SURROGATE.search(text):
            json.dumps(notebook, ensure_ascii=False).encode()
    except Exception as error:  # whatever nbformat and its parsers raise
        raise LabError(
            f"the notebook of {chapter.name} is damaged ({in_one_line(error)}); run `llmlab book "
            f"execute {chapter.name}` again."
        ) from None
    _mark(notebook, chapter.mark)
    return notebook


def _mark(notebook: NotebookNode, mark: str) -> None:
    """Insert a mark below the title of a chapter."""
    texts = (cell for cell in notebook.cells if cell.cell_type == "markdown")
    if mark and (first := next(texts, None)):
        first.source = _TITLE.sub(lambda title: f"{title[0]}\n\n{mark}\n", first.source, count=1)


def refresh(chapter: Chapter) -> None:
    """Combine a chapter's current text with the outputs of its last execution.

    Raises:
        LabError: the chapter is not executed, or its code has changed since then.
    """
    name = f"chapters/{chapter.name}.py"
    stored = read_notebook(chapter)
    if stored.metadata.get(SCRIPT) == _digest(read_text(chapter.source, name)):
        return
    notebook = read_script(chapter.source, name)
    shown = list(_shown(stored))
    cells = code_cells(notebook)
    if [cell.source for cell in cells] != [source for source, _ in shown]:
        raise LabError(
            f"the code of chapter {chapter.name} has changed since it was executed; "
            f"run `llmlab book execute {chapter.name}` first."
        )
    for cell, (_, outputs) in zip(cells, shown, strict=True):
        cell.outputs = outputs
    write_notebook(notebook, chapter.notebook)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells of a notebook, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def is_image(output: NotebookNode) -> bool:
    """Whether an output can be shown as an image."""
    return any(kind.startswith("image/") for kind in output.get("data", {}))


def is_of_figure(cell: NotebookNode) -> bool:
    """Whether the output of a cell is a numbered figure."""
    return _FIGURE.search(cell.source) is not None


def _shown(notebook: NotebookNode) -> Iterator[tuple[str, list[NotebookNode]]]:
    """Source and outputs of each code cell of the executed script."""
    cells = code_cells(notebook)
    for cell, following in zip_longest(cells, cells[1:]):
        if cell.source != CONTINUED:
            more = following.outputs if following and following.source == CONTINUED else []
            yield cell.source, [*cell.outputs, *more]


def _one_figure(cell: NotebookNode) -> list[NotebookNode]:
    """Move the outputs after a figure's image into a separate cell.

    Quarto would turn two outputs under one figure label into sub-figures.
    """
    outputs = cell.get("outputs", [])
    image = next((n for n, output in enumerate(outputs, 1) if is_image(output)), len(outputs))
    if not is_of_figure(cell) or image == len(outputs):
        return [cell]
    rest = nbformat.v4.new_code_cell(CONTINUED, outputs=outputs[image:])
    cell.outputs = outputs[:image]
    return [cell, rest]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

import re

import nbformat
import pytest

from llmlab.book.press.execute import execute_chapter
from llmlab.method.errors import LabError

DISPLAYS = """# %%
import sys
import pandas as pd
from IPython.display import Markdown

print("to standard error", file=sys.stderr)
print("to standard output")

# %%
Markdown("**bold**")

# %%
pd.DataFrame({"a": [1]})

# %%
object()

# %%
# | label: fig-two
# | fig-cap: Two outputs
import matplotlib.pyplot as plt
from IPython.display import display

figure, axes = plt.subplots()
plt.close(figure)
display(figure)
display(Markdown("numbers"))

# %%
figure, axes = plt.subplots()
figure
"""


def execute(tmp_path, text, name="chapter.py"):
    source, out = tmp_path / name, tmp_path / "build" / "chapter.ipynb"
    source.write_text(text)
    return out, execute_chapter(source, out, tmp_path)


@pytest.fixture(scope="module")
def displays(tmp_path_factory):
    out, complaints = execute(tmp_path_factory.mktemp("displays"), DISPLAYS)
    return nbformat.read(out, as_version=4), complaints


def kinds(notebook):
    return [
        [sorted(out.get("data", {"stream": 0})) for out in cell.outputs] for cell in notebook.cells
    ]


def test_one_kind_is_kept_of_each_output(displays):
    notebook, _ = displays
    assert kinds(notebook) == [
        [["stream"]],
        [["text/markdown"]],
        [["text/plain"]],  # never HTML, for which Quarto loads scripts from outside
        [],  # an address in memory
        [["image/svg+xml"]],
        [["text/markdown"]],  # what follows a figure stands in a cell of its own
        [["image/svg+xml"]],  # once, though IPython shows it twice
    ]


def test_figures_are_vectors_as_fine_as_one_can_see(displays):
    notebook, _ = displays
    drawn = notebook.cells[4].outputs[0].data["image/svg+xml"]
    places = re.findall(r' (?:d|x|y)="([^"]*)"', drawn)
    assert any("." in place for place in places)
    assert not any(re.search(r"\.\d{3}", place) for place in places)
    assert 'transform="scale(0.015625)"' in drawn  # of letters: not a place


def test_standard_error_is_reported_and_kept_out(displays):
    notebook, complaints = displays
    assert complaints == ("cell 1 (`import sys`): to standard error",)
    assert [output.name for output in notebook.cells[0].outputs] == ["stdout"]


def test_nothing_in_it_changes_by_itself(displays):
    notebook, _ = displays
    assert [cell.id for cell in notebook.cells] == [f"cell-{n}" for n in range(1, 8)]
    assert all(not cell.metadata and cell.execution_count is None for cell in notebook.cells)


def test_options_are_written_as_quarto_reads_them(displays):
    notebook, _ = displays
    assert notebook.cells[4].source.startswith("#| label: fig-two\n#| fig-cap: Two outputs\n")


def test_running_again_gives_the_same_bytes(tmp_path):
    text = "# %%\nimport random\n\nprint(sorted({'a', 'b', 'c'}), hash('a'))\n"
    first = execute(tmp_path, text)[0].read_bytes()
    assert execute(tmp_path, text)[0].read_bytes() == first


def test_a_raising_cell_is_named_and_nothing_is_written(tmp_path):
    text = "# %% [markdown]\n# # Title\n\n# %%\n# | echo: false\n1 / 0\n"
    with pytest.raises(LabError) as caught:
        execute(tmp_path, text)
    assert str(caught.value) == (
        "chapter.py, cell 2 (`1 / 0`) raised ZeroDivisionError: division by zero"
    )
    assert not (tmp_path / "build").exists()


def test_what_the_reader_can_mend_is_told_in_its_own_words(tmp_path):
    text = "# %%\nfrom llmlab.method.errors import LabError\n\nraise LabError('mend it')\n"
    with pytest.raises(LabError, match=r"cell 1 \(`from llmlab.*`\): mend it$"):
        execute(tmp_path, text)


def test_a_cell_that_ends_its_process_is_named(tmp_path):
    with pytest.raises(LabError, match=r"chapter.py, cell 1 \(`import os`\) killed its Python"):
        execute(tmp_path, "# %%\nimport os\n\nos._exit(1)\n")


def test_a_missing_chapter_is_named(tmp_path):
    with pytest.raises(LabError, match=r"missing\.py is missing"):
        execute_chapter(tmp_path / "missing.py", tmp_path / "out.ipynb", tmp_path)


def test_a_chapter_runs_in_the_root_of_the_book(tmp_path):
    (tmp_path / "here.txt").touch()
    (tmp_path / "chapters").mkdir()
    out, _ = execute(
        tmp_path,
        "# %%\nfrom pathlib import Path\nprint(Path('here.txt').exists())\n",
        "chapters/a.py",
    )
    assert nbformat.read(out, as_version=4).cells[0].outputs[0].text == "True\n"


def test_what_the_user_has_set_up_for_ipython_does_not_reach_a_chapter(tmp_path, monkeypatch):
    startup = tmp_path / "home" / ".ipython" / "profile_default" / "startup" / "00.py"
    startup.parent.mkdir(parents=True)
    startup.write_text("mine = 1")
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 9")
    (tmp_path / "start.py").write_text("mine = 2")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path / "matplotlibrc"))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "start.py"))
    root = tmp_path / "book"
    root.mkdir()
    source = root / "chapter.py"
    source.write_text(
        "# %%\nfrom matplotlib import rcParams\n"
        "print('mine' in globals(), rcParams['lines.linewidth'])\n"
    )
    execute_chapter(source, tmp_path / "chapter.ipynb", root)
    (cell,) = nbformat.read(tmp_path / "chapter.ipynb", as_version=4).cells
    assert cell.outputs[0].text == "False 1.5\n"

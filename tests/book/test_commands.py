import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from llmlab.book.commands import app
from llmlab.book.gates import accessibility
from llmlab.book.press.render import Rendered
from llmlab.method.errors import LabError


@pytest.fixture
def inside(executed_sample, tmp_path, monkeypatch):
    """The working directory is an executed book without a site."""
    root = tmp_path / "book"
    shutil.copytree(executed_sample.root, root, ignore=shutil.ignore_patterns("site"))
    monkeypatch.chdir(root)
    return root


def run(*arguments):
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_render_says_where_to_look(inside):
    output = run("render", "--version", "1.0", "--renderer", "preview").output
    assert "4 chapters rendered by preview into site/1.0/" in output
    assert "site/1.0/index.html" in output
    assert "site/1.0/A-Small-Book.pdf" in output


def test_pages_of_quarto_are_read_from_a_server(tmp_path):
    page, pdf = tmp_path / "site" / "dev" / "index.html", tmp_path / "book.pdf"
    assert Rendered("quarto", 4, page, pdf).how_to_read(tmp_path).startswith("make serve ")
    assert Rendered("preview", 4, page, pdf).how_to_read(tmp_path) == "site/dev/index.html"


def test_check_passes_a_good_book_and_names_the_flaws_of_a_bad_one(inside, monkeypatch):
    monkeypatch.setattr(accessibility, "LOOKS", ())  # a browser takes seconds; it has its own test
    run("render", "--renderer", "preview")
    assert "is complete" in run("check").output
    (inside / "site" / "dev" / "references.html").unlink()
    with pytest.raises(LabError, match=r"site/dev has \d+ problems"):
        run("check", "site/dev")


def test_gates_pass_no_folder_without_a_book(inside):
    with pytest.raises(LabError, match="site/9 holds no rendered book"):
        run("gates", "site/9")


def test_lint_passes_a_book_without_typed_results(inside):
    assert "No result is typed" in run("lint").output


def test_execute_writes_the_notebook(inside):
    notebook = inside / "build" / "chapters" / "index.ipynb"
    notebook.unlink()
    assert run("execute", "chapters/index.py").output == "build/chapters/index.ipynb\n"
    assert notebook.is_file()


def test_the_commands_load_without_jupyter():
    """`llmlab --help` stays fast."""
    heavy = "{'nbformat', 'jinja2', 'typst'}"
    code = f"import sys, llmlab.book.commands; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"

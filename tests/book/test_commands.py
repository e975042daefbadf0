import random
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


def test_check_passes_a_good_book_and_names_the_flaws_of_a_bad_one(inside):
    run("render", "--renderer", "preview")
    site = inside / "site" / "dev"
    assert "is complete, valid and light" in run("check").output
    (site / "references.html").unlink()
    page = (site / "index.html").read_text(encoding="utf-8")
    noise = random.Random(0).randbytes(600_000).hex()
    flaws = f'</div><img src="https://example.org/a.png"><p>{noise}</p></body>'
    (site / "index.html").write_text(page.replace("</body>", flaws), encoding="utf-8")
    said = CliRunner().invoke(app, ["check", "site/dev"])
    assert isinstance(said.exception, LabError)
    for flaw in (
        "references.html is missing", "loads https://example.org/a.png from outside",
        "without alternative text", "is not valid HTML", "weighs",
    ):  # fmt: skip
        assert flaw in said.output


def test_check_reports_the_flaws_of_pages_that_quarto_wrote(inside):
    run("render", "--renderer", "preview")
    index = inside / "site" / "dev" / "index.html"
    page = index.read_text(encoding="utf-8").replace("llmlab preview renderer", "quarto-1.9")
    index.write_text(page.replace("</body>", "</div></body>"), encoding="utf-8")
    said = run("check")
    assert "index.html is not valid HTML" in said.output
    assert "site/dev is complete; all links" in said.output


def test_check_passes_no_folder_without_a_book(inside):
    with pytest.raises(LabError, match="site/9 holds no rendered book"):
        run("check", "site/9")


def test_check_asks_axe_about_every_chapter(inside, monkeypatch):
    run("render", "--renderer", "preview")
    asked = []
    monkeypatch.setattr(accessibility, "why_not", lambda: None)
    monkeypatch.setattr(
        accessibility,
        "inaccessible_pages",
        lambda site, pages, tell: asked.extend(pages) or ["index.html fails color-contrast"],
    )
    with pytest.raises(LabError, match="site/dev has 1 problem"):
        run("check", "--accessibility")
    assert len(asked) == 4


def test_a_check_of_accessibility_without_a_browser_is_no_success(inside, monkeypatch):
    run("render", "--renderer", "preview")
    monkeypatch.setattr(accessibility, "why_not", lambda: "Chromium is not installed")
    with pytest.raises(LabError, match="Chromium is not installed"):
        run("check", "--accessibility")


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

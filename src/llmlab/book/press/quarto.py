"""Renders the book with Quarto, from a folder where everything that Quarto needs is gathered."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

from llmlab.book.press.cells import without_data_uris
from llmlab.book.press.check import incomplete
from llmlab.book.press.contents import ASSETS, CONFIG, Chapter, Contents, Edition, read_config
from llmlab.book.press.notebooks import read_notebook
from llmlab.book.press.pdf import pack
from llmlab.book.press.site_assets import write_site_assets
from llmlab.method.errors import LabError
from llmlab.method.project import Project

OUTPUT = "_book"
SCRIPTS = ("evidence.js", "versions.js", "explorer.js")


CHANGING = {"QUARTO_PROFILE", "QUARTO_LOG", "QUARTO_LOG_LEVEL", "QUARTO_PRINT_STACK", "LUA_INIT"}
"""Environment variables with which a user changes every run of Quarto."""


def find_quarto() -> Path | None:
    """Quarto beside the running Python, or on the PATH; None where there is neither."""
    beside = Path(sys.executable).with_name("quarto")
    found = str(beside) if beside.is_file() else shutil.which("quarto")
    return Path(found) if found else None


def render_quarto(
    quarto: Path, project: Project, contents: Contents, edition: Edition, out: Path
) -> None:
    """Renders HTML and PDF into the empty folder `out`.

    Raises:
        LabError: a chapter is not executed, or Quarto fails; or it leaves out a page, the PDF or
            what a reference leads to, about which it only warns.
    """
    stage = project.build / "book"
    gather(project, contents, edition, stage)
    shutil.rmtree(stage / OUTPUT, ignore_errors=True)
    done = subprocess.run(
        [str(quarto), "render", str(stage)],
        env=_environment(),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    problems = incomplete(stage / OUTPUT, contents)
    if done.returncode != 0 or problems:
        raise LabError(f"Quarto could not render the book: {_reason(done.stderr, problems)}")
    shutil.copytree(stage / OUTPUT, out, dirs_exist_ok=True)
    pack(out / contents.pdf)


def _environment() -> dict[str, str]:
    """This process's environment without what would change the book or what Quarto says."""
    kept = {name: value for name, value in os.environ.items() if name not in CHANGING}
    return {**kept, "NO_COLOR": "1", "LC_ALL": "C.UTF-8", "PAGER": "cat"}


def gather(project: Project, contents: Contents, edition: Edition, stage: Path) -> None:
    """Puts the configuration, the executed chapters, what lies beside them and assets into `stage`.

    What Quarto keeps there from one rendering to the next is left alone.
    """
    for chapter in contents.chapters:
        _write_notebook(chapter, stage)
    for path in project.chapters.rglob("*"):
        if path.is_file() and path.suffix not in {".py", ".toml", ".pyc"}:
            _copy(path, stage / path.relative_to(project.chapters))
    write_site_assets(stage / "assets")
    shutil.copytree(ASSETS / "pandoc", stage / "assets", dirs_exist_ok=True)
    shutil.copytree(ASSETS / "print-fonts", stage / "assets" / "print-fonts", dirs_exist_ok=True)
    _write_scripts(stage)
    config = read_config(project)
    config["project"]["output-dir"] = OUTPUT
    edition_line = f"Version {edition.version}, commit {edition.commit}"
    config["book"]["page-footer"] = edition_line
    # the PDF has no such footer: there it stands on the title page
    config["book"]["subtitle"] = " · ".join(filter(None, [contents.subtitle, edition_line]))
    (stage / CONFIG).write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def _reason(said: str, problems: tuple[str, ...]) -> str:
    """What Quarto said from its first error on, or what its book lacks."""
    lines = said.strip().splitlines()
    first = next((at for at, line in enumerate(lines) if "error" in line.lower()), None)
    return "; ".join(problems) if first is None else " ".join(lines[first : first + 6])


def _write_notebook(chapter: Chapter, stage: Path) -> None:
    """An executed chapter; Quarto gives images names too long for a file if it cuts out many."""
    target = stage / f"{chapter.name}.ipynb"
    notebook = read_notebook(chapter)
    _keep_heading(notebook)
    images: dict[str, bytes] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if text := data.get("text/markdown"):
                top = "../" * chapter.name.count("/")
                data["text/markdown"] = without_data_uris(text, images, top, chapter.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    for name, content in images.items():
        (stage / name).parent.mkdir(exist_ok=True)
        (stage / name).write_bytes(content)


def _keep_heading(notebook: NotebookNode) -> None:
    """Begins the text with an empty line.

    From a title in the first line of a notebook Quarto drops `{.unnumbered}` (quarto-cli#8526).
    """
    texts = (cell for cell in notebook.cells if cell.cell_type == "markdown")
    if first := next(texts, None):
        first.source = "\n" + first.source


def _write_scripts(stage: Path) -> None:
    """The scripts of a page in one file for its end: written out, they need no path from there."""
    assets = stage / "assets"
    scripts = [(assets / name).read_text(encoding="utf-8") for name in SCRIPTS]
    text = "".join(f"<script>\n{script}</script>\n" for script in scripts)
    (assets / "scripts.html").write_text(text, encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)

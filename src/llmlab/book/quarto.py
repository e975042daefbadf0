"""Renders the book by Quarto, from a folder where everything that Quarto needs is gathered."""

import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from llmlab.book.contents import ASSETS, CONFIG, Contents, Edition
from llmlab.method.errors import LabError
from llmlab.method.project import Project

OUTPUT = "_book"
SCRIPTS = ("evidence.js", "versions.js", "explorer.js")


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
        LabError: a chapter is not executed, or Quarto fails; its last words are in the message.
    """
    stage = project.build / "book"
    gather(project, contents, edition, stage)
    done = subprocess.run(
        [str(quarto), "render", str(stage)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = " ".join(done.stderr.strip().splitlines()[-3:])
        raise LabError(f"Quarto could not render the book: {last}")
    shutil.copytree(stage / OUTPUT, out, dirs_exist_ok=True)


def gather(project: Project, contents: Contents, edition: Edition, stage: Path) -> None:
    """Puts the configuration, the executed chapters, what lies beside them and assets into `stage`.

    What Quarto keeps there from one rendering to the next is left alone.
    """
    for chapter in contents.chapters:
        _copy(chapter.executed(), stage / f"{chapter.name}.ipynb")
    for path in project.chapters.rglob("*"):
        if path.is_file() and path.suffix not in {".py", ".toml", ".pyc"}:
            _copy(path, stage / path.relative_to(project.chapters))
    shutil.copytree(ASSETS / "site", stage / "assets", dirs_exist_ok=True)
    shutil.copytree(ASSETS / "pandoc", stage / "assets", dirs_exist_ok=True)
    _write_scripts(stage)
    config = yaml.safe_load((project.root / CONFIG).read_text(encoding="utf-8"))
    config["project"]["output-dir"] = OUTPUT
    config["book"]["page-footer"] = f"Version {edition.version}, commit {edition.commit}"
    (stage / CONFIG).write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def _write_scripts(stage: Path) -> None:
    """The scripts of a page in one file for its end: written out, they need no path from there."""
    scripts = [(ASSETS / "site" / name).read_text(encoding="utf-8") for name in SCRIPTS]
    text = "".join(f"<script>\n{script}</script>\n" for script in scripts)
    (stage / "assets" / "scripts.html").write_text(text, encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)

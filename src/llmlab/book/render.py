"""Renders the book: by Quarto where it is found, by the preview renderer where it is not."""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from llmlab.book.contents import Edition, read_contents
from llmlab.book.lint import check_prose
from llmlab.book.preview import render_preview
from llmlab.book.quarto import find_quarto, render_quarto
from llmlab.method.errors import LabError
from llmlab.method.files import write_file
from llmlab.method.project import Project
from llmlab.method.provenance import git_state

Renderer = Literal["auto", "quarto", "preview"]
RENDERERS = ("auto", "quarto", "preview")


@dataclass(frozen=True)
class Rendered:
    """What was rendered: by which renderer, how many chapters, where its front page and PDF are."""

    renderer: Literal["quarto", "preview"]
    chapters: int
    front_page: Path
    pdf: Path


def render_book(project: Project, version: str = "dev", renderer: Renderer = "auto") -> Rendered:
    """Renders all executed chapters into `site/<version>/`, HTML and PDF.

    The folder is replaced at the end, so that a reader never sees half a book.

    Raises:
        LabError: Quarto was asked for and is not there, a chapter is not executed, has a typed
            result, or has something that leads nowhere; the site stays as it was.
    """
    if renderer not in RENDERERS:
        raise LabError(f"there is no renderer {renderer!r}; choose auto, quarto or preview.")
    contents = read_contents(project)
    check_prose(project)
    quarto = find_quarto() if renderer != "preview" else None
    if renderer == "quarto" and quarto is None:
        raise LabError("Quarto is not installed; install it, or render with --renderer preview.")
    edition = Edition(version, _commit(project.root))
    site = project.site / version
    project.site.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=project.site, prefix=f".{version}-") as folder:
        out = Path(folder, version)
        out.mkdir()
        if quarto:
            render_quarto(quarto, project, contents, edition, out)
        else:
            render_preview(contents, project.chapters, edition, out)
        _swap(out, site)
    _list_versions(project.site)
    return Rendered(
        renderer="quarto" if quarto else "preview",
        chapters=len(contents.chapters),
        front_page=site / "index.html",
        pdf=site / contents.pdf,
    )


def _commit(root: Path) -> str:
    commit, dirty = git_state(root)
    return commit[:7] + ("+" if dirty else "")


def _swap(new: Path, old: Path) -> None:
    """Puts `new` in the place of `old`; what was there goes away with the folder of `new`."""
    if old.exists():
        os.replace(old, new.with_name("replaced"))
    os.replace(new, old)


def _list_versions(site: Path) -> None:
    """Lists the versions that there are, newest name last, for the menu on each page."""
    versions = sorted(page.parent.name for page in site.glob("[!.]*/index.html"))
    write_file(site / "versions.json", json.dumps(versions) + "\n")

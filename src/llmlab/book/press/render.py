"""Render the book with Quarto, or with the preview renderer if Quarto is not installed."""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from llmlab.book.press.contents import Contents, Edition, read_contents
from llmlab.book.press.lint import check_prose
from llmlab.book.press.notebooks import refresh
from llmlab.book.press.quarto import find_quarto, render_quarto
from llmlab.book.versions.comparison import changes_since_former
from llmlab.book.versions.saying import mark
from llmlab.book.versions.tags import VERSION, numbers
from llmlab.method.declare.catalog import catalog
from llmlab.method.errors import LabError
from llmlab.method.evidence.provenance import git_state
from llmlab.method.files import unwritable, write_file
from llmlab.method.locks import locked
from llmlab.method.project import Project

Renderer = Literal["auto", "quarto", "preview"]
PREVIEW = re.compile(r"pr-\d+")
"""The folder of a change that is not merged (.ci/pages)."""
CHANGES = "appendices/changes"
"""The chapter on what changed since the previous version."""
RESULTS = "results/"
"""Prefix of the chapter of an experiment; the experiment's name follows."""


@dataclass(frozen=True)
class Rendered:
    """A rendered book: its renderer, number of chapters, front page and PDF."""

    renderer: Literal["quarto", "preview"]
    chapters: int
    front_page: Path
    pdf: Path

    def how_to_read(self, root: Path) -> str:
        """How to open the front page; Quarto's pages load modules, which needs a server."""
        if self.renderer == "quarto":
            return "make serve   (Quarto's pages need a web server)"
        return str(self.front_page.relative_to(root))


def render_book(project: Project, version: str = "dev", renderer: Renderer = "auto") -> Rendered:
    """Render all executed chapters into `site/<version>/`, as HTML and PDF.

    Raises:
        LabError: Quarto was requested but is not installed; the present code of a chapter is not
            executed; a chapter has a typed result or an unresolved reference; another process is
            rendering; or the site cannot be written. A former rendering then stays unchanged.
    """
    quarto = _choose(renderer)
    if version in ("", "..") or Path(version).name != version:
        raise LabError(f"{version!r} does not name a folder below site/; give a name such as dev.")
    contents = _marked(project, read_contents(project))
    check_prose(project)
    for chapter in contents.chapters:
        refresh(chapter)
    edition = Edition(version, _commit(project.root))
    site = project.site / version
    taken = "another process is rendering this book: wait until it ends, then render again."
    with locked(project.build / "book.lock", taken), _replacing(site) as out:
        if quarto:
            render_quarto(quarto, project, contents, edition, out)
        else:
            # pandoc and typst are installed only where Quarto is not
            from llmlab.book.press.preview import render_preview

            render_preview(contents, project.chapters, edition, out)
    list_versions(project.site)
    return Rendered(
        renderer="quarto" if quarto else "preview",
        chapters=len(contents.chapters),
        front_page=site / "index.html",
        pdf=site / contents.pdf,
    )


def _marked(project: Project, contents: Contents) -> Contents:
    """The contents, with a mark on each results page that changed since the former version."""
    named = {chapter.name for chapter in contents.chapters}
    changes = changes_since_former(project) if CHANGES in named else None
    if changes is None:
        return contents
    marks = {f"{RESULTS}{name}": mark(changes, name) for name in catalog()}
    chapters = (replace(one, mark=marks.get(one.name, "")) for one in contents.chapters)
    return replace(contents, chapters=tuple(chapters))


def _choose(renderer: str) -> Path | None:
    """Quarto's program, or None for the preview renderer."""
    if renderer not in get_args(Renderer):
        raise LabError(f"there is no renderer {renderer!r}; choose auto, quarto or preview.")
    quarto = find_quarto() if renderer != "preview" else None
    if renderer == "quarto" and quarto is None:
        raise LabError("Quarto is not installed; install it, or render with --renderer preview.")
    return quarto


def _commit(root: Path) -> str:
    commit, dirty = git_state(root)
    return commit[:7] + ("+" if dirty else "")


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces `folder` at the end, only if no error occurred.

    Readers never see half a book.
    """
    try:
        folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as aside:
            new = Path(aside, "new")
            new.mkdir()
            yield new
            if folder.exists():
                os.replace(folder, new.with_name("old"))
            os.replace(new, folder)
    except OSError as error:
        raise unwritable(folder, error) from error


def list_versions(site: Path) -> None:
    """List all versions for the menu on each page: dev first, then from new to old.

    A preview of a change disappears with it: no menu leads there.
    """
    found = [page.parent.name for page in site.glob("[!.]*/index.html")]
    names = [name for name in found if not PREVIEW.fullmatch(name)]
    released = [name for name in names if VERSION.fullmatch(name)]
    others = sorted(set(names) - set(released))
    versions = [*others, *sorted(released, key=numbers, reverse=True)]
    write_file(site / "versions.json", json.dumps(versions) + "\n")

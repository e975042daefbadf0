"""Release the checked-out book: render it permanently into a folder of its own."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from llmlab.book.press.contents import read_contents
from llmlab.book.press.render import Renderer, list_versions, render_book
from llmlab.book.publish.bundle import Release, write_bundle
from llmlab.book.versions.snapshot import RESULTS, recorded
from llmlab.book.versions.tags import check_version, tag_named, version_tags
from llmlab.method.errors import LabError
from llmlab.method.git import git
from llmlab.method.project import Project

LARGEST_MB = 25.0
"""Size limit of one version, so that a site can hold many."""
LARGEST_PDF_MB = 6.0
LARGEST_REPOSITORY_MB = 50.0
"""Size limit of the files of one commit, so that cloning stays fast."""


@dataclass(frozen=True)
class Released:
    """A released version: its folder, and the size of it, its PDF and its commit's files in MB
    (millions of bytes).
    """

    folder: Path
    megabytes: float
    pdf_megabytes: float
    repository_megabytes: float
    is_tagged: bool


def release(project: Project, version: str, renderer: Renderer = "auto") -> Released:
    """Render `site/<version>/` once, with the archive of its evidence.

    Raises:
        LabError: the version is malformed or exists already, files differ from the commit, the tag
            of that name marks another commit, a chapter cannot be rendered, or the version, its PDF
            or the repository exceeds its limit. Nothing of it is left then.
    """
    check_version(version)
    folder = project.site / version
    if folder.exists():
        raise LabError(
            f"{folder} already exists, and a published version never changes; choose the next one."
        )
    commit, is_tagged = _commit(project.root, version)
    done = render_book(project, version, renderer)
    try:
        date = git(project.root, "show", "--no-patch", "--format=%cI", commit) or b""
        contents, tables = read_contents(project), recorded(project)
        facts = Release(version, commit, date.decode().strip(), contents, tables)
        write_bundle(facts, project.root / RESULTS, folder)
        sizes = _size(folder), _size(done.pdf), _size_of_commit(project.root, commit)
        return _bounded(Released(folder, *sizes, is_tagged))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        list_versions(project.site)
        raise


def _commit(root: Path, version: str) -> tuple[str, bool]:
    """The commit to release, and whether its tag exists."""
    if git(root, "status", "--porcelain") != b"":
        raise LabError(
            "the working tree differs from its commit, or there is no commit; commit first, so "
            "that the version can be found again."
        )
    here = tag_named(root, "HEAD").commit
    known = {tag.version: tag.commit for tag in version_tags(root)}
    if known.get(version, here) != here:
        raise LabError(f"v{version} is the tag of another commit; choose the next version.")
    return here, version in known


def _bounded(done: Released) -> Released:
    if done.megabytes > LARGEST_MB:
        raise LabError(
            f"version {done.folder.name} takes {done.megabytes:.1f} MB (its PDF "
            f"{done.pdf_megabytes:.1f}), more than the limit of {LARGEST_MB:g}; shrink its images "
            "or views."
        )
    if done.pdf_megabytes > LARGEST_PDF_MB:
        raise LabError(
            f"the PDF of version {done.folder.name} takes {done.pdf_megabytes:.1f} MB, more than "
            f"the limit of {LARGEST_PDF_MB:g}; use vector images or smaller ones."
        )
    if done.repository_megabytes > LARGEST_REPOSITORY_MB:
        raise LabError(
            f"the files of the commit take {done.repository_megabytes:.1f} MB, more than the limit "
            f"of {LARGEST_REPOSITORY_MB:g}; record smaller tables or views."
        )
    return done


def _size(path: Path) -> float:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6


def _size_of_commit(root: Path, commit: str) -> float:
    listed = git(root, "ls-tree", "-r", "--format=%(objectsize)", commit) or b""
    return sum(int(size) for size in listed.split() if size != b"-") / 1e6

"""Add chapters and parts to the book's contents, `_quarto.yml`."""

from collections.abc import Sequence
from pathlib import Path

from llmlab.method.errors import LabError
from llmlab.method.files import read_text
from llmlab.method.project import Project


def contents_file(project: Project) -> Path:
    return project.root / "_quarto.yml"


def with_chapter(project: Project, chapter: str) -> str:
    """The contents with a chapter inserted after the last one of the same folder.

    Args:
        chapter: its entry in the contents, such as "results/batch_size.ipynb".

    Raises:
        LabError: the contents list no chapter of that folder.
    """
    lines = _lines(project)
    folder = chapter.partition("/")[0]
    same = _starting(lines, f"- {folder}/")
    if not same:
        raise LabError(
            f"{contents_file(project)} lists no chapter of {folder}/ after which to insert "
            f"{chapter}; add a part."
        )
    lines.insert(same[-1] + 1, _indent(lines[same[-1]]) + f"- {chapter}")
    return "\n".join(lines) + "\n"


def with_part(project: Project, title: str, chapters: Sequence[str]) -> str:
    """The contents with a part of these chapters inserted before the last part (the learnings).

    Raises:
        LabError: the contents have no part.
    """
    lines = _lines(project)
    parts = _starting(lines, "- part:")
    if not parts:
        raise LabError(
            f'{contents_file(project)} has no part before which to insert "{title}"; add one.'
        )
    indent = _indent(lines[parts[-1]])
    new = [f"- part: {title}", "  chapters:", *(f"    - {chapter}" for chapter in chapters)]
    lines[parts[-1] : parts[-1]] = [indent + line for line in new]
    return "\n".join(lines) + "\n"


def _lines(project: Project) -> list[str]:
    path = contents_file(project)
    return read_text(path).splitlines() if path.exists() else []


def _starting(lines: Sequence[str], start: str) -> list[int]:
    return [number for number, line in enumerate(lines) if line.strip().startswith(start)]


def _indent(line: str) -> str:
    return line.partition("-")[0]

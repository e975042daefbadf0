"""Fill in templates for something new, whose name fits and which one process at a time adds."""

import keyword
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from string import Template

from llmlab.method.errors import LabError
from llmlab.method.files import read_text
from llmlab.method.levels import label
from llmlab.method.locks import locked
from llmlab.method.project import Project

PATIENCE_SECONDS = 30
"""Longest wait for another process that adds something new; it takes a second."""

LONGEST_NAME = 32
"""Longest name for which the lines of the templates stay within the limit."""


def check_name(name: str, kind: str, example: str) -> None:
    """Raise LabError if a name does not fit a module and a page."""
    is_word = re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) and not keyword.iskeyword(name)
    if not is_word or len(name) > LONGEST_NAME:
        raise LabError(
            f"'{name}' cannot name {kind}; use at most {LONGEST_NAME} lower-case letters, digits "
            f"and single underscores, as in {example}."
        )


def check_absent(paths: Iterable[Path]) -> None:
    """Raise LabError if one of the paths exists."""
    for path in paths:
        if path.exists():
            raise LabError(f"{path} exists; choose another name or remove it first.")


def names(name: str) -> dict[str, str]:
    """The forms of a name in templates."""
    return {
        "name": name,
        "title": label(name).capitalize(),
        "slug": name.replace("_", "-"),
    }


def filled(template: str, words: Mapping[str, str]) -> str:
    """Fill the placeholders of a template with `words`, and sort its imports."""
    path = files("llmlab.method.scaffold") / "templates" / f"{template}.template"
    text = Template(path.read_text(encoding="utf-8")).substitute(words)
    return re.sub(r"(?m)(?:^ *from llmlab\..*\n)+", _sorted_lines, text)


def _sorted_lines(block: re.Match[str]) -> str:
    return "".join(sorted(block[0].splitlines(keepends=True)))


def appended(path: Path, template: str, words: Mapping[str, str]) -> str:
    """The text of a ledger file with an entry from a template appended.

    Raises:
        LabError: the file already has an entry with the same id, or cannot be read.
    """
    entry = filled(template, words)
    identifier = entry.splitlines()[1]
    text = read_text(path)
    if identifier in text.splitlines():
        raise LabError(f"{path} already has an entry with {identifier}; choose another name.")
    return f"{text.rstrip()}\n\n{entry}".lstrip()


@contextmanager
def adding(project: Project) -> Iterator[None]:
    """Wait for other processes that extend the same files, and keep them waiting.

    Raises:
        LabError: another process has been adding for `PATIENCE_SECONDS`.
    """
    taken = (
        f"another process has been adding to {project.root} for {PATIENCE_SECONDS} seconds: "
        "wait until it ends, then repeat the command."
    )
    with locked(project.build / "new.lock", taken, PATIENCE_SECONDS):
        yield

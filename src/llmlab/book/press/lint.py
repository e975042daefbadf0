"""Find result numbers typed into prose instead of inserted with `value(...)`.

Checks the Markdown cells and the strings passed to `Markdown(...)` or `answer(...)` of the chapters
in `results/` and `learnings/`. Ignores what cannot be a result: code, math, citations, links,
attributes, years, numbered lists, places in a paper ("section 3.2"), names ("GPT-2", "bf16"), and
numbers marked as settings: `[8]{.setting}`.
"""

import ast
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llmlab.book.press.border import parse_python
from llmlab.method.errors import LabError
from llmlab.method.files import read_text
from llmlab.method.project import Project

ROOMS = ("results", "learnings")
"""Folders of chapters whose numbers are results."""

PROSE = {"Markdown", "answer"}
"""Functions whose strings are prose."""

NUMBER = re.compile(r"[-+−]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?(?: ?%)?")

_PLACE = r"(?:sections?|chapters?|figures?|tables?|equations?|pages?|fig\.|eq\.|sec\.|tab\.|p\.|§)"
_NOT_A_RESULT = re.compile(
    "|".join(
        [
            r"```.*?```",  # fenced code
            r"`[^`\n]*`",  # code span
            r"<!--.*?-->",
            r"\$\$.*?\$\$",  # math
            r"\$[^$\n]+\$",
            r"\[[^\]\n]*\]\{\.setting\}",
            r"\]\([^)\n]*\)",  # target of a link
            r"\{[^}\n]*\}",  # attributes
            r"<?https?://\S+",
            r"@[\w:.-]+",  # citation or cross-reference
            r"(?m:^\s*\d+[.)]\s)",  # numbered list
            r"\[\^\w+\]",  # footnote
            rf"(?i:{_PLACE}\s*\d+(?:\.\d+)*)",
            r"(?<![\w.,])\d{4}\.\d{4,5}(?![\w.,]*\d)",  # arXiv
            r"(?<![\w.,+−-])(?:19|20)\d\d(?:-\d\d-\d\d)?(?![\w%]|[.,]\d| %)",  # year or date
            r"\b[A-Z]\w*-[\w.-]*\w",  # GPT-2, H-LR-1, Llama-3.2-3B
            r"\b[A-Za-z_]+\d+\w*",  # bf16, H200, r8
            r"\b\d+(?:st|nd|rd|th)\b",
        ]
    ),
    re.DOTALL,
)


@dataclass(frozen=True)
class TypedNumber:
    """A number in prose, and its location."""

    chapter: str
    line: int
    number: str

    def __str__(self) -> str:
        return (
            f"{self.chapter}:{self.line}: the number {self.number} is typed; show it with "
            f"value(...), or write [{self.number}]{{.setting}} if it is not a result"
        )


def check_prose(project: Project) -> None:
    """Check every chapter of results and learnings.

    Raises:
        LabError: a number is typed; the message has one line per number.
    """
    found = [
        str(typed)
        for room in ROOMS
        for chapter in sorted((project.chapters / room).glob("**/*.py"))
        for typed in _typed_in(chapter, str(chapter.relative_to(project.root)))
    ]
    if found:
        raise LabError("\n".join(found))


def _typed_in(chapter: Path, name: str) -> list[TypedNumber]:
    return typed_numbers(read_text(chapter, name), name)


def typed_numbers(source: str, chapter: str) -> list[TypedNumber]:
    """The typed numbers in one percent script, by line.

    Args:
        chapter: name of the script in error messages.

    Raises:
        LabError: the script is not valid Python.
    """
    tree = parse_python(source, chapter)
    prose = [*_markdown_cells(source), *_markdown_strings(tree)]
    found = (
        TypedNumber(chapter, line + offset, number)
        for line, text in prose
        for offset, number in _numbers(text)
    )
    return sorted(found, key=lambda typed: typed.line)


def _numbers(text: str) -> Iterator[tuple[int, str]]:
    """Line (counted from 0) and text of each number in Markdown that could be a result."""
    masked = _NOT_A_RESULT.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    for match in NUMBER.finditer(masked):
        yield masked.count("\n", 0, match.start()), match[0]


def _markdown_cells(source: str) -> Iterator[tuple[int, str]]:
    """First line and text of each Markdown cell, without comment signs."""
    lines = source.splitlines()
    starts = [index for index, line in enumerate(lines) if line.startswith("# %%")]
    for start, end in itertools.pairwise([*starts, len(lines)]):
        if "[markdown]" in lines[start]:
            body = [re.sub(r"^# ?", "", line) for line in lines[start + 1 : end]]
            yield start + 2, "\n".join(body)


def _markdown_strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """First line and text of each string literal passed to a function of `PROSE`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in PROSE:
            for argument in node.args:
                yield from _literals(argument)


def _literals(node: ast.expr) -> Iterator[tuple[int, str]]:
    """The literal text of a string expression; insertions of f-strings become gaps."""
    waiting = [node]
    while waiting:
        match waiting.pop():
            case ast.Constant(value=str(text), lineno=line):
                yield line, text
            case ast.JoinedStr(values=parts, lineno=line):
                yield line, "".join(p.value if isinstance(p, ast.Constant) else "□" for p in parts)
            case ast.BinOp(left=left, right=right):
                waiting += [right, left]


def _called(node: ast.Call) -> str | None:
    return getattr(node.func, "id", getattr(node.func, "attr", None))

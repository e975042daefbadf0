"""Find the experiments and hypotheses that a chapter reads, without running its script."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llmlab.book.press.border import parse_python
from llmlab.method.errors import LabError
from llmlab.method.files import read_text

OF_EXPERIMENT = {
    "value", "difference", "best", "means", "table", "figure", "curves", "evidence",
    "method", "command", "note", "explorer", "differences", "confusion",
}  # fmt: skip
OF_HYPOTHESIS = {"verdict", "badge", "cite", "effect", "word", "says", "finding", "scales"}
OF_EVERYTHING = {
    "summary", "questions", "ledger", "progress", "dictionary", "provenance", "reproduction",
    "tolerances", "statistics_of", "changes",
}  # fmt: skip
OF_VERSIONS = {"changes"}
_CELL = re.compile(r"^# ?%%", re.MULTILINE)
_TEXT = re.compile(r"[^\n]*\[(markdown|md|raw)\]")
SHOW = "llmlab.book.show"
_PATH = re.compile(r"[\w.-]+(/[\w.-]+)+")


@dataclass(frozen=True)
class Inputs:
    """The inputs of a chapter.

    Attributes:
        everything: whether it reads the whole ledger and the tables of all experiments.
        paths: the paths that it names, of files or of anything else.
        versions: whether it compares with the former version of the book.
    """

    experiments: frozenset[str]
    hypotheses: frozenset[str]
    everything: bool
    paths: frozenset[str]
    versions: bool = False


def inputs_of(chapter: Path) -> Inputs:
    """Find the inputs of the percent script `chapter` from its calls to `llmlab.book.show`.

    Raises:
        LabError: the script is not Python, or names an experiment or hypothesis by an expression
            instead of a literal, so that its dependencies cannot be determined.
    """
    tree = parse_python(read_text(chapter, str(chapter)), str(chapter))
    calls = list(_calls(tree))
    return Inputs(
        experiments=_names(calls, OF_EXPERIMENT, "experiment", chapter),
        hypotheses=_names(calls, OF_HYPOTHESIS, "hypothesis", chapter),
        everything=any(name in OF_EVERYTHING for name, _ in calls),
        versions=any(name in OF_VERSIONS for name, _ in calls),
        paths=frozenset(_paths(tree)),
    )


def code_of(chapter: Path) -> str:
    """The code of the percent script `chapter`, without its text cells."""
    cells = _CELL.split(read_text(chapter, str(chapter)))
    return "# %%".join(cell.rstrip() for cell in cells if not _TEXT.match(cell))


def _calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Calls to functions of the show module, under whatever name they were imported."""
    functions, modules = _imports(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Name(id=name) if name in functions:
                yield functions[name], node
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in modules:
                yield name, node


def _imports(tree: ast.Module) -> tuple[dict[str, str], set[str]]:
    """Functions of the show module by local name, and local names of the module itself."""
    package, _, module = SHOW.rpartition(".")
    functions: dict[str, str] = {}
    modules: set[str] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        for alias in node.names:
            local = alias.asname or alias.name
            if node.module == SHOW:
                functions[local] = alias.name
            elif node.module == package and alias.name == module:
                modules.add(local)
    return functions, modules


def _names(
    calls: list[tuple[str, ast.Call]], functions: set[str], what: str, chapter: Path
) -> frozenset[str]:
    """The literal first arguments of calls to these functions."""
    return frozenset(_literal(call, what, chapter) for name, call in calls if name in functions)


def _paths(tree: ast.Module) -> Iterator[str]:
    """String literals that look like a path with a folder."""
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if _PATH.fullmatch(text):
                yield text


def _literal(call: ast.Call, what: str, chapter: Path) -> str:
    match call.args:
        case [ast.Constant(value=str(name)), *_]:
            return name
    raise LabError(
        f"{chapter}, line {call.lineno}, names its {what} by an expression; "
        f"pass the name of the {what} as a string in the first argument, "
        "so that the build can see what the chapter depends on."
    )

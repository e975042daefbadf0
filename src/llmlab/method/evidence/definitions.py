"""Parse a module into its definitions and the statements that run by themselves, as forms."""

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from llmlab.method.evidence.forms import Form, FormWriter
from llmlab.method.evidence.modules import file_version
from llmlab.method.evidence.syntax import (
    PACKAGE,
    Import,
    absolute,
    bindings,
    imported_names,
    is_left_out,
    nodes_of_scope,
)

BUILTIN = frozenset({"property", "staticmethod", "classmethod"})


Bound = tuple[int, ast.stmt]
"""A statement that binds a name, and the position of the name among all that it binds."""


@dataclass(frozen=True)
class Module:
    """One module of the package.

    Attributes:
        definitions: the form of each top-level name's definition.
        statements: the forms of statements that run on import and do more than bind names.
        imports: the dotted path of each imported name.
        stars: modules imported with `from ... import *`.
        lines: first and last line of each statement that binds a name.
    """

    name: str
    definitions: dict[str, Form]
    statements: tuple[Form, ...]
    imports: dict[str, str]
    stars: tuple[str, ...]
    lines: dict[str, tuple[tuple[int, int], ...]]


def parse_module(name: str, path: Path) -> Module:
    """Parse the module `name` in the file `path`, once for each version of the file.

    Raises:
        SyntaxError: the file is not Python.
    """
    return _parse(name, path, file_version(path))


@cache
def _parse(name: str, path: Path, _version: tuple[int, int]) -> Module:
    tree = ast.parse(path.read_bytes(), path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return _read_module(tree, name, package)


def _read_module(tree: ast.Module, name: str, package: str) -> Module:
    scopes = [(node, [*nodes_of_scope([node])]) for node in tree.body]
    imported = [node for _, nodes in scopes for node in nodes if isinstance(node, Import)]
    imports = {
        key: path for node in imported for key, path in imported_names(node, package).items()
    }
    defined = _defined(scopes)
    writer = FormWriter(name, package, frozenset(defined), imports)
    return Module(
        name=name,
        definitions={target: writer.definition(bound) for target, bound in defined.items()},
        statements=tuple(
            writer.statement(node) for node in tree.body if _runs_by_itself(node, imports)
        ),
        imports=imports,
        stars=tuple(star for node in imported for star in _star(node, package)),
        lines={
            target: tuple((node.lineno, node.end_lineno or node.lineno) for _, node in bound)
            for target, bound in defined.items()
        },
    )


def _defined(scopes: Iterable[tuple[ast.stmt, list[ast.AST]]]) -> dict[str, list[Bound]]:
    """The statements that bind each top-level name.

    A name bound only by imports is not a definition: imports are followed to their targets.
    """
    found: dict[str, list[Bound]] = {}
    for node, nodes in scopes:
        for place, target in enumerate(_bound_by(node, nodes)):
            found.setdefault(target, []).append((place, node))
    return {
        target: bound
        for target, bound in found.items()
        if not all(isinstance(node, Import) for _, node in bound)
    }


def _star(node: Import, package: str) -> list[str]:
    is_star = isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)
    return [absolute(node, package)] if is_star else []


def _bound_by(node: ast.stmt, nodes: list[ast.AST]) -> list[str]:
    """The names that a top-level statement of these nodes binds, in order."""
    if isinstance(node, ast.Expr) or is_left_out(node):
        return []
    return list(dict.fromkeys(bindings(nodes)))


def _runs_by_itself(node: ast.stmt, imports: dict[str, str]) -> bool:
    """Whether a top-level statement does something on import besides binding its names.

    A decorator of the package may register what it decorates.
    """
    if isinstance(node, Import) or is_left_out(node):
        return False
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        heads = {_head(decorator) for decorator in node.decorator_list}
        return any(imports.get(head, PACKAGE).startswith(PACKAGE) for head in heads - BUILTIN)
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(isinstance(target, ast.Attribute | ast.Subscript) for target in targets)
    return not isinstance(node, ast.Pass)


def _head(node: ast.expr) -> str:
    """The first name in a decorator expression."""
    while isinstance(node, ast.Call | ast.Attribute):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""

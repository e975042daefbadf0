"""The modules of the package: where they are, and which of them a script imports.

Imports are found in the source, without running it; a module imported by a computed name is not
seen.
"""

import ast
import hashlib
import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import llmlab
from llmlab.method.evidence.syntax import PACKAGE, absolute, file_version, without_docstrings

SOURCE = Path(llmlab.__file__).resolve().parent.parent
"""The folder that holds the package."""

Module = tuple[str, Path]
"""A module of the package and its file."""


def find_module(source: Path, module: str) -> Path | None:
    """The file of a module of the package below `source`; None for a name inside a module."""
    stem = f"{source}/{module.replace('.', '/')}"
    candidates = (f"{stem}.py", f"{stem}/__init__.py")
    return next((Path(path) for path in candidates if os.path.isfile(path)), None)


def closure(module: str) -> dict[str, Path]:
    """`module` and every module of the package that it imports, also indirectly; sorted."""
    return closure_of(_modules([module]))


def imports_of_file(path: Path) -> tuple[Module, ...]:
    """The modules of the package that a script outside it imports itself."""
    return _imported("", path, file_version(path))


def closure_of(modules: Iterable[Module]) -> dict[str, Path]:
    """The modules, and every one that these import, also indirectly; sorted."""
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name, path = waiting.pop()
        if name not in found:
            found[name] = path
            waiting += _imported(name, path, file_version(path))
    return dict(sorted(found.items()))


def source_digest(path: Path) -> str:
    """SHA-256 of the source of a file, comments, docstrings and layout apart."""
    return _digest_of(path, file_version(path))


@cache
def _digest_of(path: Path, _version: tuple[int, int]) -> str:
    tree = without_docstrings(ast.parse(path.read_bytes(), path))
    return hashlib.sha256(_stable(tree).encode()).hexdigest()


def _stable(node: object) -> str:
    """The tree as text that is the same under every Python version, unlike that of `ast.dump`."""
    if isinstance(node, ast.AST):
        fields = [(name, value) for name, value in ast.iter_fields(node) if value not in (None, [])]
        inside = ", ".join(f"{name}={_stable(value)}" for name, value in fields)
        return f"{type(node).__name__}({inside})"
    if isinstance(node, list):
        return f"[{', '.join(map(_stable, node))}]"
    return repr(node)


@cache
def _imported(module: str, path: Path, _version: tuple[int, int]) -> tuple[Module, ...]:
    """The modules of the package that a file imports itself, with the packages above them."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names: set[str] = set()
    for node in _statements(ast.parse(path.read_bytes(), path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, package)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return _modules(names)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements below a node, and what holds some; no expressions, which hold none."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.expr):
            yield child
            yield from _statements(child)


def _modules(names: Iterable[str]) -> tuple[Module, ...]:
    """The modules among dotted names, and the packages that these lie in, which run first."""
    found = {prefix: find_module(SOURCE, prefix) for name in names for prefix in _prefixes(name)}
    return tuple((name, path) for name, path in found.items() if path is not None)


def _prefixes(name: str) -> list[str]:
    """A dotted name of the package after the packages that it lies in."""
    parts = name.split(".")
    if parts[0] != PACKAGE:
        return []
    return [".".join(parts[: length + 1]) for length in range(len(parts))]

"""The modules of the package: where they are, and which of them a script imports.

Finds imports in the source without running it; misses modules imported by a computed name.
"""

import ast
import hashlib
import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from llmlab.method.evidence.syntax import (
    DOCUMENTED,
    PACKAGE,
    absolute,
    children,
    is_bare_string,
    parts_of,
)
from llmlab.method.files import SOURCE

Module = tuple[str, Path]
"""A module of the package and its file."""


def file_version(path: Path) -> tuple[int, int]:
    """Modification time and size of a file, for cache keys."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


def find_module(source: Path, module: str) -> Path | None:
    """The file of a package module below `source`; None for a name inside a module."""
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
    """SHA-256 of a file's source without comments, docstrings and layout."""
    return _digest_of(path, file_version(path))


@cache
def _digest_of(path: Path, _version: tuple[int, int]) -> str:
    tree = ast.parse(path.read_bytes(), path)
    return hashlib.sha256(_stable(tree).encode()).hexdigest()


def _stable(node: object) -> str:
    """The tree without docstrings; unlike `ast.dump`, the same under every Python version."""
    if isinstance(node, list):
        return f"[{', '.join([_stable(each) for each in node])}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    inside = []
    for name in node._fields:
        value = getattr(node, name, None)
        if name == "body" and isinstance(node, DOCUMENTED):
            value = [item for item in value if not is_bare_string(item)]
        if name == "values" and isinstance(node, ast.JoinedStr):
            value = parts_of(node)
        if value is not None and value != []:
            inside.append(f"{name}={_stable(value)}")
    return f"{type(node).__name__}({', '.join(inside)})"


@cache
def _imported(module: str, path: Path, _version: tuple[int, int]) -> tuple[Module, ...]:
    """The package modules that a file imports directly, with their parent packages."""
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
    """All nodes below a node except expressions, which contain no statements."""
    for child in children(node):
        if not isinstance(child, ast.expr):
            yield child
            yield from _statements(child)


def _modules(names: Iterable[str]) -> tuple[Module, ...]:
    """The modules among dotted names, and their parent packages, which run first."""
    prefixes = sorted({prefix for name in names for prefix in _prefixes(name)})
    found = ((name, find_module(SOURCE, name)) for name in prefixes)
    return tuple((name, path) for name, path in found if path is not None)


def _prefixes(name: str) -> list[str]:
    """The prefixes of a dotted name of the package, from its top package to the name itself."""
    parts = name.split(".")
    if parts[0] != PACKAGE:
        return []
    return [".".join(parts[: length + 1]) for length in range(len(parts))]

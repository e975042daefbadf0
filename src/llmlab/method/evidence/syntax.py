"""Questions to Python's syntax tree: what a scope binds, what is imported, what does not run."""

import ast
from collections.abc import Iterable, Iterator

PACKAGE = "llmlab"
"""The package whose references are followed."""

Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Import = ast.Import | ast.ImportFrom

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
"""Nodes whose body may hold docstrings."""

LEAVES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.Name, ast.Constant)
"""Nodes below which nothing belongs to the scope: those of other scopes, and the smallest."""


def imported_names(node: Import, package: str) -> dict[str, str]:
    """The dotted path of each name that an import binds."""
    if isinstance(node, ast.Import):
        return {
            alias.asname or alias.name.partition(".")[0]: (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )
            for alias in node.names
        }
    base = absolute(node, package)
    return {
        alias.asname or alias.name: f"{base}.{alias.name}"
        for alias in node.names
        if alias.name != "*"
    }


def absolute(node: ast.ImportFrom, package: str) -> str:
    """The absolute name of the module in `from ... import`."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])


def is_bare_string(node: ast.stmt) -> bool:
    """Whether a statement is a docstring, or a string that documents the attribute above it."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def parts_of(node: ast.JoinedStr) -> list[ast.expr]:
    """The parts of an f-string, without the empty ones that only Python 3.12 has in formats."""
    return [
        part for part in node.values if not (isinstance(part, ast.Constant) and part.value == "")
    ]


def without_docstrings(tree: ast.Module) -> ast.Module:
    """Remove docstrings and strings that document a name, in place."""
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED):
            node.body = [item for item in node.body if not is_bare_string(item)]
    return tree


def is_left_out(node: ast.stmt) -> bool:
    """Whether a statement is a docstring or does not run on import."""
    return is_bare_string(node) or (isinstance(node, ast.If) and _is_never_run(node.test))


def _is_never_run(test: ast.expr) -> bool:
    """Whether a test is `TYPE_CHECKING` or `__name__ == "__main__"`."""
    if isinstance(test, ast.Compare):
        return isinstance(test.left, ast.Name) and test.left.id == "__name__"
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes directly below a node; `ast.iter_child_nodes` takes twice as long."""
    found: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            found += [each for each in value if isinstance(each, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


def nodes_of_scope(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes in the scope of `body`; of nested definitions only the defining node."""
    waiting = [*body][::-1]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, LEAVES):
            continue
        if isinstance(node, Comprehension):
            yield from (inner for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr))
            continue
        waiting += children(node)[::-1]


def bindings(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The names that the nodes of a scope bind in it."""
    for node in nodes:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Name(ctx=ast.Store() | ast.Del()):
                yield node.id
            case ast.NamedExpr():
                yield node.target.id
            case ast.Import() | ast.ImportFrom():
                yield from imported_names(node, "")
            case ast.ExceptHandler() | ast.MatchAs() | ast.MatchStar() if node.name:
                yield node.name
            case ast.MatchMapping() if node.rest:
                yield node.rest


def parameters_of(arguments: ast.arguments) -> list[str]:
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    found += [one for one in (arguments.vararg, arguments.kwarg) if one]
    return [one.arg for one in found]


def names_by_kind(arguments: ast.arguments) -> list[object]:
    """The parameters by kind, without annotations."""
    return [
        [one.arg for one in kind]
        for kind in (
            arguments.posonlyargs,
            arguments.args,
            [arguments.vararg] if arguments.vararg else [],
            arguments.kwonlyargs,
            [arguments.kwarg] if arguments.kwarg else [],
        )
    ]

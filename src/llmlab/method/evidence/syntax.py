"""Parse a module's source into definitions: the text of each, and its references to global names.

Definitions are normalised: without docstrings, comments, layout, imports, annotations of functions
and locals, arguments of raised exceptions, and their own names. Every global name that a definition
reads is a reference, resolved by Python's rules: locals hide globals, and methods do not see the
scope of their class.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path

PACKAGE = "llmlab"
"""The package whose references are followed."""

ENTRY_POINT = re.compile(rf"{PACKAGE}(\.\w+)+:\w+")
"""A string that names a definition, such as "llmlab.gpt.model:GPT"."""

DECLARED = frozenset(
    {"name", "title", "question", "summary", "axes", "metrics", "budgets", "curves"}
    | {"selection_metric", "needs", "subject"}
)
"""Declarations of an experiment other than its code; those that a run sees are hashed by value."""

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Import = ast.Import | ast.ImportFrom

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
"""Nodes whose body may hold docstrings."""

LEAVES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.Name, ast.Constant)
"""Nodes below which nothing belongs to the scope: those of other scopes, and the smallest."""


@dataclass(frozen=True)
class Reference:
    """A global name with the attributes read from it, e.g. "llmlab.gpt.model.GPT.from_config".

    `together` marks references that only runs computed together reach.
    """

    dotted: str
    together: bool = False


Form = tuple[str | Reference, ...]
"""The text of a definition, split at its references to the package."""


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


def file_version(path: Path) -> tuple[int, int]:
    """Modification time and size of a file, for cache keys."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


@cache
def _parse(name: str, path: Path, _version: tuple[int, int]) -> Module:
    tree = ast.parse(path.read_bytes(), path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return _read_module(tree, name, package)


def _read_module(tree: ast.Module, name: str, package: str) -> Module:
    scopes = [(node, [*_nodes_of_scope([node])]) for node in tree.body]
    imports: dict[str, str] = {}
    stars: list[str] = []
    for node in chain.from_iterable(nodes for _, nodes in scopes):
        if isinstance(node, Import):
            imports |= imported_names(node, package)
            stars += _star(node, package)
    binding: dict[str, list[tuple[int, ast.stmt]]] = {}
    for node, nodes in scopes:
        for place, target in enumerate(_bound_by(node, nodes)):
            binding.setdefault(target, []).append((place, node))
    # a name bound only by imports is not a definition: imports are followed to their targets
    binding = {
        target: bound
        for target, bound in binding.items()
        if not all(isinstance(node, Import) for _, node in bound)
    }
    writer = _Writer(name, package, frozenset(binding), imports)
    return Module(
        name=name,
        definitions={target: writer.definition(bound) for target, bound in binding.items()},
        statements=tuple(
            writer.statement(node) for node in tree.body if _runs_by_itself(node, imports)
        ),
        imports=imports,
        stars=tuple(stars),
        lines={
            target: tuple((node.lineno, node.end_lineno or node.lineno) for _, node in bound)
            for target, bound in binding.items()
        },
    )


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


def _star(node: Import, package: str) -> list[str]:
    is_star = isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)
    return [absolute(node, package)] if is_star else []


def _bound_by(node: ast.stmt, nodes: list[ast.AST]) -> list[str]:
    """The names that a top-level statement of these nodes binds, in order."""
    if isinstance(node, ast.Expr) or _is_left_out(node):
        return []
    return list(dict.fromkeys(_bindings(nodes)))


def _runs_by_itself(node: ast.stmt, imports: dict[str, str]) -> bool:
    """Whether a top-level statement does something on import besides binding its names.

    A decorator of the package may register what it decorates.
    """
    if isinstance(node, Import) or _is_left_out(node):
        return False
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        heads = {_head(decorator) for decorator in node.decorator_list}
        return any(imports.get(head, PACKAGE).startswith(PACKAGE) for head in heads - BUILTIN)
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(isinstance(target, ast.Attribute | ast.Subscript) for target in targets)
    return not isinstance(node, ast.Pass)


BUILTIN = frozenset({"property", "staticmethod", "classmethod"})


def _head(node: ast.expr) -> str:
    """The first name in a decorator expression."""
    while isinstance(node, ast.Call | ast.Attribute):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _is_left_out(node: ast.stmt) -> bool:
    """Whether a statement is a docstring or does not run on import."""
    return is_bare_string(node) or (isinstance(node, ast.If) and _is_never_run(node.test))


def _is_never_run(test: ast.expr) -> bool:
    """Whether a test is `TYPE_CHECKING` or `__name__ == "__main__"`."""
    if isinstance(test, ast.Compare):
        return isinstance(test.left, ast.Name) and test.left.id == "__name__"
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"


def without_docstrings(tree: ast.Module) -> ast.Module:
    """Remove docstrings and strings that document a name, in place."""
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED):
            node.body = [item for item in node.body if not is_bare_string(item)]
    return tree


def is_bare_string(node: ast.stmt) -> bool:
    """Whether a statement is a docstring, or a string that documents the attribute above it."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _nodes_of_scope(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
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


def _bindings(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The names that the nodes of a scope bind in it."""
    for node in nodes:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Name(ctx=ast.Store() | ast.Del()):
                yield node.id
            case ast.NamedExpr():
                yield node.target.id
            case ast.Import():
                yield from imported_names(node, "")
            case ast.ImportFrom():
                yield from imported_names(node, "")
            case ast.ExceptHandler() | ast.MatchAs() | ast.MatchStar() if node.name:
                yield node.name
            case ast.MatchMapping() if node.rest:
                yield node.rest


@dataclass
class _Scope:
    """Names bound in a function, class or comprehension, and the paths of those it imports."""

    names: frozenset[str]
    imports: dict[str, str] = field(default_factory=dict)
    is_class: bool = False


class _Writer:
    """Writes the forms of one module's definitions."""

    def __init__(
        self, module: str, package: str, defined: frozenset[str], imports: dict[str, str]
    ) -> None:
        self.module, self.package = module, package
        self.defined, self.imports = defined, imports
        self.scopes: list[_Scope] = []
        self.pieces: list[str | Reference] = []
        self.together = False

    def definition(self, bound: list[tuple[int, ast.stmt]]) -> Form:
        """The form of all statements that bind a name, with its position among their names."""
        places = [place for place, _ in bound]
        return self._form([str(places), *(node for _, node in bound)])

    def statement(self, node: ast.stmt) -> Form:
        return self._form([node])

    def _form(self, parts: list[str | ast.stmt]) -> Form:
        self.pieces, self.scopes = [], []
        for part in parts:
            self.write(part)
            self.say("\n")
        return tuple(self.pieces)

    def say(self, text: str) -> None:
        """Append text, joined to any text before it."""
        if self.pieces and isinstance(self.pieces[-1], str):
            self.pieces[-1] += text
        else:
            self.pieces.append(text)

    def _refer(self, dotted: str) -> None:
        self.pieces.append(Reference(dotted, self.together))

    def write(self, node: object) -> None:
        """Append a node; unlike `ast.dump`, the result is the same under every Python version."""
        if isinstance(node, list):
            self._write_list(node)
        elif isinstance(node, ast.AST):
            special = getattr(self, f"_write_{type(node).__name__}", None)
            special(node) if special else self.plain(node)
        else:
            self.say(repr(node))

    def plain(self, node: ast.AST, **instead: object) -> None:
        """Append a node by its fields, some replaced, without empty ones."""
        fields = dict(ast.iter_fields(node)) | instead
        fields.pop("type_comment", None)
        fields.pop("kind", None)
        self.say(f"{type(node).__name__}(")
        for name, value in fields.items():
            if value is not None and value != []:
                self.say(f"{name}=")
                self.write(value)
                self.say(", ")
        self.say(")")

    def _write_list(self, nodes: list[object]) -> None:
        self.say("[")
        for node in nodes:
            if isinstance(node, Import) and not self.scopes:
                self._write_choice(node)
            if isinstance(node, Import | ast.Pass):
                continue
            if isinstance(node, ast.stmt) and _is_left_out(node):
                continue
            if isinstance(node, ast.AnnAssign) and self._is_bare_annotation(node):
                continue
            self.write(node)
            self.say(", ")
        self.say("]")

    def _write_choice(self, node: Import) -> None:
        """Append an import inside `try` or `if`: its target is one of several a name may have."""
        for name, path in imported_names(node, self.package).items():
            self._write_path(path, "")
            self.say(f" as {name}, ")

    def _is_bare_annotation(self, node: ast.AnnAssign) -> bool:
        """Whether a node is `x: int` outside a class, which does nothing; in a class it may be a
        field.
        """
        in_class = bool(self.scopes) and self.scopes[-1].is_class
        return node.value is None and not in_class

    # names

    def _write_Name(self, node: ast.Name) -> None:
        self._write_dotted(node.id, "")

    def _write_Attribute(self, node: ast.Attribute) -> None:
        attributes: list[str] = []
        base: ast.expr = node
        while isinstance(base, ast.Attribute):
            attributes.insert(0, base.attr)
            base = base.value
        if isinstance(base, ast.Name):
            self._write_dotted(base.id, "".join(f".{name}" for name in attributes))
        else:
            self.write(base)
            self.say("".join(f".{name}" for name in attributes))

    def _write_dotted(self, name: str, attributes: str) -> None:
        """Append a name with attributes: a reference if it leads into the package, else text."""
        path = self._resolve(name)
        if path is None:
            self.say(f"{name}{attributes}")
        else:
            self._write_path(path, attributes)

    def _write_path(self, path: str, attributes: str) -> None:
        if _is_ours(path):
            self._refer(f"{path}{attributes}")
        else:
            self.say(f"<{path}{attributes}>")

    def _resolve(self, name: str) -> str | None:
        """The dotted path that a name stands for; None for a local name or a builtin."""
        for depth, scope in enumerate(reversed(self.scopes)):
            if scope.is_class and depth:
                continue
            if name in scope.imports:
                return scope.imports[name]
            if name in scope.names:
                return None
        if name in self.defined:
            return f"{self.module}.{name}"
        return self.imports.get(name)

    def _write_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and ENTRY_POINT.fullmatch(node.value):
            self._refer(node.value.replace(":", "."))
        else:
            self.say(repr(node.value))

    # scopes

    @contextmanager
    def _scope(self, scope: _Scope) -> Iterator[None]:
        self.scopes.append(scope)
        try:
            yield
        finally:
            self.scopes.pop()

    def _inside(self, body: list[ast.stmt], parameters: Iterable[str] = ()) -> _Scope:
        """The scope of a function, without names declared global or nonlocal."""
        imports: dict[str, str] = {}
        outside: set[str] = set()
        nodes = [*_nodes_of_scope(body)]
        for node in nodes:
            if isinstance(node, Import):
                for name, path in imported_names(node, self.package).items():
                    if imports.setdefault(name, path) != path:  # one branch or the other
                        self._write_path(path, "")
            elif isinstance(node, ast.Global | ast.Nonlocal):
                outside |= set(node.names)
        names = {*parameters, *_bindings(nodes)} - outside
        return _Scope(frozenset(names), imports)

    def _write_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.say(f"{type(node).__name__}(")
        if self.scopes:
            self.say(node.name)
        self.write(node.decorator_list)
        self._write_defaults(node.args)
        with self._scope(self._inside(node.body, _parameters(node.args))):
            self.write(_names_of(node.args))
            self.write(node.body)
        self.say(")")

    _write_AsyncFunctionDef = _write_FunctionDef

    def _write_Lambda(self, node: ast.Lambda) -> None:
        self.say("Lambda(")
        self._write_defaults(node.args)
        with self._scope(self._inside([node.body], _parameters(node.args))):
            self.write(_names_of(node.args))
            self.write(node.body)
        self.say(")")

    def _write_defaults(self, arguments: ast.arguments) -> None:
        self.write(arguments.defaults)
        self.say("[")
        for default in arguments.kw_defaults:
            self.write(default)
            self.say(", ")
        self.say("]")

    def _write_ClassDef(self, node: ast.ClassDef) -> None:
        self.say("ClassDef(")
        if self.scopes:
            self.say(node.name)
        self.write(node.decorator_list)
        self.write(node.bases)
        self.write(node.keywords)
        scope = self._inside(node.body)
        with self._scope(_Scope(scope.names, scope.imports, is_class=True)):
            self.write(node.body)
        self.say(")")

    def _write_comprehension_of(self, node: Comprehension) -> None:
        names = frozenset(
            name
            for generator in node.generators
            for name in _bindings(_nodes_of_scope([generator.target]))
        )
        with self._scope(_Scope(names)):
            self.plain(node)

    _write_ListComp = _write_SetComp = _write_DictComp = _write_comprehension_of
    _write_GeneratorExp = _write_comprehension_of

    # what does not count

    def _write_AnnAssign(self, node: ast.AnnAssign) -> None:
        if self.scopes and self.scopes[-1].is_class:
            self.say("Field(")
            self.write(node.target)
            self.say(_type_text(node.annotation, self._resolve))
            self.write(node.value)
            self.say(")")
        else:
            self.write(ast.Assign(targets=[node.target], value=node.value))

    def _write_Raise(self, node: ast.Raise) -> None:
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        self.plain(node, exc=raised)

    def _write_Assert(self, node: ast.Assert) -> None:
        self.plain(node, msg=None)

    def _write_Call(self, node: ast.Call) -> None:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else None
        called = node.func.id if isinstance(node.func, ast.Name) else called
        if called == "LabError":
            self.plain(node, args=[], keywords=[])
        elif called in ("Axis", "Metric"):
            named = [word for word in node.keywords if word.arg == "name"]
            self.plain(node, func=ast.Constant(called), args=node.args[:1], keywords=named)
        elif any(word.arg == "budgets" for word in node.keywords):
            kept = [word for word in node.keywords if word.arg not in DECLARED]
            self.plain(node, keywords=kept)
        elif called in ("import_module", "__import__"):
            self._write_import(node)
        elif called == "getattr" and _is_constant_getattr(node):
            self.write(ast.Attribute(node.args[0], node.args[1].value, ast.Load()))
        else:
            self.plain(node)

    def _write_keyword(self, node: ast.keyword) -> None:
        self.together = node.arg == "together"
        if self.together:
            self.say("together=")
            self.write(node.value)
        else:
            self.plain(node)
        self.together = False

    def _write_import(self, node: ast.Call) -> None:
        """Append an import by a call: of the module that a constant names, or of an unknown one."""
        named = node.args[0] if node.args else None
        if isinstance(named, ast.Constant) and isinstance(named.value, str):
            self._write_path(named.value, "")
        else:
            self._refer(self.module)
            self.plain(node)

    def _write_Assign(self, node: ast.Assign) -> None:
        if self.scopes:
            self.plain(node)
        else:  # at the top level only the positions of the bound names count
            self.plain(node, targets=[_nameless(target) for target in node.targets])


def _is_constant_getattr(node: ast.Call) -> bool:
    return (
        len(node.args) == 2
        and isinstance(node.args[1], ast.Constant)
        and str(node.args[1].value).isidentifier()
    )


def _nameless(target: ast.expr) -> ast.expr:
    """An assignment target with its names removed."""
    if isinstance(target, ast.Name):
        return ast.Constant(None)
    if isinstance(target, ast.Tuple | ast.List):
        return ast.Tuple([_nameless(inner) for inner in target.elts], ast.Store())
    return target


def _parameters(arguments: ast.arguments) -> list[str]:
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    found += [one for one in (arguments.vararg, arguments.kwarg) if one]
    return [one.arg for one in found]


def _names_of(arguments: ast.arguments) -> list[object]:
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


def _type_text(annotation: ast.expr, resolve: object) -> str:
    """A field's annotation as text; types of the package are nameless, since they may move."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return repr(annotation.value)

    class Nameless(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.Name:
            path = resolve(node.id)
            return node if path is None or not _is_ours(path) else ast.Name("type", node.ctx)

        def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
            base = node
            while isinstance(base, ast.Attribute):
                base = base.value
            path = resolve(base.id) if isinstance(base, ast.Name) else None
            return ast.Name("type", node.ctx) if path and _is_ours(path) else node

        def visit_Constant(self, node: ast.Constant) -> ast.expr:
            if not isinstance(node.value, str):
                return node
            return ast.parse(_type_text(node, resolve), mode="eval").body

    return ast.unparse(Nameless().visit(annotation))


def _is_ours(path: str) -> bool:
    return path == PACKAGE or path.startswith(f"{PACKAGE}.")

"""Write a definition as normalised text, with references to the global names that it reads.

The text has no docstrings, comments, layout, imports, annotations of functions and locals,
arguments of raised exceptions, nor the definition's own name. Every global name that a definition
reads is a reference, resolved by Python's rules: locals hide globals, and methods do not see the
scope of their class. A string that names a file of data in the package is a reference, too.
"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from llmlab.method.evidence.syntax import (
    PACKAGE,
    Comprehension,
    Import,
    bindings,
    imported_names,
    is_left_out,
    names_by_kind,
    nodes_of_scope,
    parameters_of,
    parts_of,
)

ENTRY_POINT = re.compile(rf"{PACKAGE}(\.\w+)+:\w+")
"""A string that names a definition, such as "llmlab.gpt.model:GPT"."""
PACKAGED = re.compile(rf"{PACKAGE}(/[\w.-]+){{2,}}")
"""A string that names a file of data in a room, such as "llmlab/cluster/data/hardware.toml"."""

DECLARED = frozenset(
    {"name", "title", "question", "summary", "axes", "metrics", "budgets", "curves"}
    | {"selection_metric", "needs", "subject"}
)
"""Declarations of an experiment other than its code; those that a run sees are hashed by value."""


@dataclass(frozen=True)
class Reference:
    """A global name with the attributes read from it, e.g. "llmlab.gpt.model.GPT.from_config".

    `together` marks references that only runs computed together reach.
    """

    dotted: str
    together: bool = False


@dataclass(frozen=True)
class DataFile:
    """The path of a file of data, from the folder that holds the package."""

    path: str


Piece = str | Reference | DataFile
Form = tuple[Piece, ...]
"""The text of a definition, split at its references to the package."""


@dataclass
class _Scope:
    """Names bound in a function, class or comprehension, and the paths of those it imports."""

    names: frozenset[str]
    imports: dict[str, str] = field(default_factory=dict)
    is_class: bool = False


class FormWriter:
    """Writes the forms of one module's definitions."""

    def __init__(
        self, module: str, package: str, defined: frozenset[str], imports: dict[str, str]
    ) -> None:
        self.module, self.package = module, package
        self.defined, self.imports = defined, imports
        self.scopes: list[_Scope] = []
        self.pieces: list[Piece] = []
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
            if isinstance(node, ast.stmt) and is_left_out(node):
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
        elif isinstance(node.value, str) and PACKAGED.fullmatch(node.value):
            self.pieces.append(DataFile(node.value))
        else:
            self.say(repr(node.value))

    def _write_JoinedStr(self, node: ast.JoinedStr) -> None:
        self.plain(node, values=parts_of(node))

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
        nodes = [*nodes_of_scope(body)]
        for node in nodes:
            if isinstance(node, Import):
                for name, path in imported_names(node, self.package).items():
                    if imports.setdefault(name, path) != path:  # one branch or the other
                        self._write_path(path, "")
            elif isinstance(node, ast.Global | ast.Nonlocal):
                outside |= set(node.names)
        names = {*parameters, *bindings(nodes)} - outside
        return _Scope(frozenset(names), imports)

    def _write_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.say(f"{type(node).__name__}(")
        if self.scopes:
            self.say(node.name)
        self.write(node.decorator_list)
        self._write_defaults(node.args)
        with self._scope(self._inside(node.body, parameters_of(node.args))):
            self.write(names_by_kind(node.args))
            self.write(node.body)
        self.say(")")

    _write_AsyncFunctionDef = _write_FunctionDef

    def _write_Lambda(self, node: ast.Lambda) -> None:
        self.say("Lambda(")
        self._write_defaults(node.args)
        with self._scope(self._inside([node.body], parameters_of(node.args))):
            self.write(names_by_kind(node.args))
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
            for name in bindings(nodes_of_scope([generator.target]))
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


def _type_text(annotation: ast.expr, resolve: Callable[[str], str | None]) -> str:
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

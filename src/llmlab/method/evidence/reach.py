"""Digests of the code that a run reaches; moving or renaming definitions does not change them.

From one definition, references are followed through the modules of the package. The digest is a
Merkle digest: each reference in a definition is replaced by the digest of its target, so that no
name of a module, file or definition enters. Definitions that refer to each other in a cycle are
hashed together. A module used as a value counts as a whole, since the source does not show which
of its names are read. A file of data that a definition names counts by its content, or by that of
the user's own file which takes its place.
"""

import hashlib
import os
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from llmlab.method.checksums import content_sha256
from llmlab.method.environment import DATA_DIR
from llmlab.method.evidence.definitions import Module, parse_module
from llmlab.method.evidence.forms import DataFile, Form, Reference
from llmlab.method.evidence.modules import file_version, find_module
from llmlab.method.evidence.syntax import PACKAGE

DECLARATIONS = frozenset({"Axis", "Budget", "Experiment", "Metric", "Sweep"})
"""Classes of the contract that a run never sees; the parts that it does see are hashed by value."""

Node = TypeVar("Node", bound=Hashable)

WHOLE = "*"
"""Stands for a name where a module counts as a whole."""
CONTENT = "/"
"""Stands for a name where a file of data is reached, which takes the place of a module."""
TABLES = (".csv", ".parquet")
"""Endings of the files of data of which users may have their own in the folder of `DATA_DIR`."""


@dataclass(frozen=True, order=True)
class Definition:
    """A top-level name of a module, all of a module ("*"), or one of its statements ("#0").

    A file of data is the definition "/" of a module that is named by its path.
    """

    module: str
    name: str

    @property
    def label(self) -> str:
        """Readable name, e.g. "gpt.model.GPT" or "cluster/data/hardware.toml"."""
        if self.is_data:
            return self.module.removeprefix(f"{PACKAGE}/")
        module = self.module.removeprefix(f"{PACKAGE}.")
        return module if self.name == WHOLE else f"{module}.{self.name}"

    @property
    def is_data(self) -> bool:
        return self.name == CONTENT


@dataclass(frozen=True)
class Reach:
    """The code that one definition reaches.

    Attributes:
        digest: changes if, and only if, something that is reached changes.
        code: digest of each reached definition by its label, with references by name.
        whole: modules that count as a whole.
        files: the files of the reached definitions, those of data included.
        data: the files of data, of which the user's own lie elsewhere.
        places: location of each definition: its file, and first and last line of each statement.
    """

    digest: str
    code: Mapping[str, str]
    whole: tuple[str, ...]
    files: tuple[Path, ...]
    data: tuple[Path, ...]
    places: Mapping[str, "Place"]


Place = tuple[Path, tuple[tuple[int, int], ...]]


def reach(source: Path, module: str, name: str, *, together: bool = False) -> Reach:
    """The code below `source` that the definition `name` of `module` reaches.

    Args:
        together: also follow what is declared for runs that are computed together.

    Raises:
        LookupError: there is no such definition.
        SyntaxError: a module cannot be parsed.
    """
    return _program(source, together).reach(Definition(module, name))


_programs: dict[tuple[Path, bool, str], "_Program"] = {}
_is_still: ContextVar[bool] = ContextVar("is_still", default=False)


@contextmanager
def still_source() -> Iterator[None]:
    """Assume that no module changes within the block.

    Files are checked for changes once instead of for each definition; for many experiments the
    checks would otherwise take quadratic time.
    """
    for key in [key for key, program in _programs.items() if not program.is_current]:
        del _programs[key]
    token = _is_still.set(True)
    try:
        yield
    finally:
        _is_still.reset(token)


def _program(source: Path, together: bool) -> "_Program":
    """The program below `source`, cached until one of its files changes."""
    own = os.environ.get(DATA_DIR, "")
    known = _programs.get((source, together, own))
    if known is None or not (_is_still.get() or known.is_current):
        known = _programs[source, together, own] = _Program(source, together, own)
    return known


class _Program:
    """The definitions of a package and their references, found on demand.

    Args:
        own: the folder of `DATA_DIR`, or nothing.
    """

    def __init__(self, source: Path, together: bool, own: str) -> None:
        self.source, self.together = source, together
        self.own = Path(own) if own else None
        self.modules: dict[str, Module | None] = {}
        self.versions: dict[Path, tuple[int, int]] = {}
        self.searched: dict[Path, frozenset[str]] = {}
        self.linked: dict[Definition, tuple[str | Definition, ...]] = {}
        self.digests: dict[Definition, str] = {}
        self.found: dict[Definition, Reach] = {}

    @property
    def is_current(self) -> bool:
        """Whether no file has changed, and none was added where a module was not found before."""
        return all(
            path.is_file() and file_version(path) == version
            for path, version in self.versions.items()
        ) and all(_entries(folder) == entries for folder, entries in self.searched.items())

    def reach(self, start: Definition) -> Reach:
        if start not in self.found:
            definition = self._find(start.module, start.name)
            if definition is None:
                raise LookupError(f"{start.module} defines no {start.name}")
            self.found[start] = self._reach(definition)
        return self.found[start]

    def _reach(self, start: Definition) -> Reach:
        reached = self._follow(start)
        self._digest(reached)
        statements = sorted(self.digests[one] for one in reached if one.name.startswith("#"))
        data = {self._data_file(one.module) for one in reached if one.is_data}
        paths = {find_module(self.source, one.module) for one in reached if not one.is_data}
        return Reach(
            digest=_hash([self.digests[start], *statements]),
            code={
                one.label: _hash(self._by_name(one))[:16]
                for one in sorted(reached)
                if one.name != WHOLE
            },
            whole=tuple(sorted(one.module for one in reached if one.name == WHOLE)),
            files=tuple(sorted(data | {path for path in paths if path})),
            data=tuple(sorted(data)),
            places={one.label: self._place(one) for one in reached if self._is_named(one)},
        )

    def _is_named(self, one: Definition) -> bool:
        return not one.is_data and one.name in self.modules[one.module].definitions

    def _place(self, one: Definition) -> Place:
        path = find_module(self.source, one.module)
        return path, self.modules[one.module].lines[one.name]

    # finding

    def _module(self, name: str) -> Module | None:
        if name not in self.modules:
            path = find_module(self.source, name)
            if path:
                self.versions[path] = file_version(path)
            else:
                self._search(name)
            self.modules[name] = parse_module(name, path) if path else None
        return self.modules[name]

    def _search(self, name: str) -> None:
        """Remember the entries of the folder in which a missing module would have been found."""
        place = self.source.joinpath(*name.split("."))
        folder = next((each for each in place.parents if each.is_dir()), self.source)
        if folder not in self.searched:
            self.searched[folder] = _entries(folder)

    def _find(self, module: str, name: str, seen: tuple = ()) -> Definition | None:
        """The definition of a module's name, followed through re-exports."""
        found = self._module(module)
        if found is None or (module, name) in seen:
            return None
        if name in found.definitions:
            return Definition(module, name)
        seen = (*seen, (module, name))
        if name in found.imports:
            target, rest = self._link(found.imports[name], seen)
            return target if target and not rest else None
        passed_on = (self._find(star, name, seen) for star in found.stars)
        return next(filter(None, passed_on), None)

    def _link(self, dotted: str, seen: tuple = ()) -> tuple[Definition | None, str]:
        """The definition that a dotted path refers to, and the attributes read from it.

        A path that ends at a module, or at a name not found in its source, refers to the whole
        module.
        """
        parts = dotted.split(".")
        lengths = range(len(parts), 0, -1)
        length = next((n for n in lengths if self._module(".".join(parts[:n]))), None)
        if length is None:
            return None, dotted
        module, rest = ".".join(parts[:length]), parts[length:]
        if rest and (target := self._find(module, rest[0], seen)):
            return target, "".join(f".{name}" for name in rest[1:])
        return Definition(module, WHOLE), "".join(f".{name}" for name in rest)

    # following

    def _follow(self, start: Definition) -> set[Definition]:
        """All that a definition leads to, and the statements run on import of their modules."""
        reached: set[Definition] = set()
        waiting = [start]
        while waiting:
            one = waiting.pop()
            if one not in reached:
                reached.add(one)
                waiting += self._leads_to(one)
                waiting += [] if one.is_data else self._statements(one.module)
        return reached

    def _leads_to(self, one: Definition) -> list[Definition]:
        return [piece for piece in self._links(one) if isinstance(piece, Definition)]

    def _links(self, one: Definition) -> tuple[str | Definition, ...]:
        """The form of a definition, with each reference linked to its target."""
        if one not in self.linked:
            self.linked[one] = tuple(self._linked(self._form(one)))
        return self.linked[one]

    def _linked(self, form: Form) -> Iterator[str | Definition]:
        for piece in form:
            if isinstance(piece, str):
                yield piece
            elif isinstance(piece, DataFile):
                yield self._data(piece)
            elif piece.together and not self.together:
                yield "<together>"
            else:
                target, rest = self._link(piece.dotted)
                if target is not None:
                    yield f"<{target.name}>" if _is_declaration(target) else target
                yield rest

    def _data(self, named: DataFile) -> str | Definition:
        """The file of data with this name; its name as text if there is no such file."""
        path = self._data_file(named.path)
        if not path.is_file():
            self.searched.setdefault(path.parent, _entries(path.parent))
            return named.path
        self.versions[path] = file_version(path)
        return Definition(named.path, CONTENT)

    def _data_file(self, name: str) -> Path:
        """The packaged file of this path, or the user's own table of its name."""
        if self.own and name.endswith(TABLES):
            self.searched.setdefault(self.own, _entries(self.own))
            if (own := self.own / Path(name).name).is_file():
                return own
        return self.source / name

    def _form(self, one: Definition) -> Form:
        if one.is_data:
            content = self._data_file(one.module).read_bytes()
            return (content_sha256(Path(one.module), content),)
        module = self._module(one.module)
        if one.name == WHOLE:
            pieces: list[str | Reference] = []
            for name in module.definitions:
                pieces += [name, Reference(f"{one.module}.{name}")]
            return tuple(pieces)
        if one.name.startswith("#"):
            return module.statements[int(one.name[1:])]
        return module.definitions[one.name]

    def _statements(self, module: str) -> list[Definition]:
        """The statements run on import of a module and of its parent packages."""
        parts = module.split(".")
        above = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
        return [
            Definition(found.name, f"#{place}")
            for found in filter(None, map(self._module, above))
            for place in range(len(found.statements))
        ]

    # hashing

    def _by_name(self, one: Definition) -> list[str]:
        """The pieces of a form, with each reference by its bare name."""
        return [
            piece.name if isinstance(piece, Definition) else piece for piece in self._links(one)
        ]

    def _digest(self, reached: Iterable[Definition]) -> None:
        graph = {one: self._leads_to(one) for one in reached if one not in self.digests}
        for circle in circles(graph):
            self.digests |= self._digest_circle(circle)

    def _digest_circle(self, circle: list[Definition]) -> dict[Definition, str]:
        """Digests of definitions that lead to each other; each round looks one step further."""
        inside = dict.fromkeys(circle, "circle")
        for _ in range(len(circle) + 1):
            inside = {
                one: _hash(
                    (inside.get(piece) or self.digests[piece])
                    if isinstance(piece, Definition)
                    else piece
                    for piece in self._links(one)
                )
                for one in circle
            }
        return inside


def _entries(folder: Path) -> frozenset[str]:
    """The names in a folder; empty if the folder is gone."""
    return frozenset(os.listdir(folder)) if folder.is_dir() else frozenset()


def _is_declaration(one: Definition) -> bool:
    return one.name in DECLARATIONS and one.module.startswith(f"{PACKAGE}.method.")


def circles(graph: Mapping[Node, Sequence[Node]]) -> Iterator[list[Node]]:
    """The strongly connected components of a graph, each after all that it leads to.

    Edges that leave the graph are ignored. Tarjan, "Depth-first search and linear graph algorithms"
    (1972), with an explicit stack instead of recursion.
    """
    index: dict[Node, int] = {}
    low: dict[Node, int] = {}
    stack: list[Node] = []
    work: list[tuple[Node, Iterator[Node]]] = []

    def enter(node: Node) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        work.append((node, iter(graph[node])))

    for root in graph:
        if root not in index:
            enter(root)
        while work:
            node, ahead = work[-1]
            new = None
            for other in ahead:
                if other in graph and other not in index:
                    new = other
                    break
                if other in low:
                    low[node] = min(low[node], low[other])
            if new is not None:
                enter(new)
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[node])
            if low[node] == index[node]:
                place = stack.index(node)
                circle = stack[place:]
                del stack[place:]
                for member in circle:
                    del low[member]
                yield circle


def _hash(pieces: Iterable[str]) -> str:
    """SHA-256 of pieces of text and of the boundaries between them."""
    whole = hashlib.sha256()
    for piece in pieces:
        data = piece.encode("utf-8", "surrogatepass")
        whole.update(f"{len(data)}:".encode())
        whole.update(data)
    return whole.hexdigest()

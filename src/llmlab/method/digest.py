"""What a result depends on: the code, the budget and the results that it needs, as digests.

Digests are taken of the syntax tree, so comments, docstrings and layout do not count. Imports are
found in the source, without running it; a module imported by a computed name is not seen.
"""

import ast
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path

import llmlab
from llmlab.method.catalog import load_experiment, scale_budget
from llmlab.method.errors import LabError
from llmlab.method.experiment import Experiment

SOURCE = Path(llmlab.__file__).resolve().parent.parent
"""The folder that holds the package `llmlab`."""


@dataclass(frozen=True)
class Fingerprint:
    """What one table depends on.

    Attributes:
        code: digest of the source of each module in the closure, by module name.
        budget: digest of the conditions, the number of seeds and the names of what is measured.
        settings: digest of the settings and the number of threads.
        needs: digest of the fingerprint of each needed experiment at the same scale, by name.
    """

    code: Mapping[str, str]
    budget: str
    settings: str
    needs: Mapping[str, str]

    @property
    def digest(self) -> str:
        """One digest of everything: the tables are current while it stays the same."""
        return _hash(asdict(self))

    @property
    def run_digest(self) -> str:
        """Digest of what a single run can see: more seeds or conditions leave it as it is."""
        return _hash([dict(self.code), self.settings, dict(self.needs)])

    def changes_since(self, other: "Fingerprint") -> tuple[str, ...]:
        """What differs from an older fingerprint, in words: modules, "budget", "needs x"."""
        code = _changed(self.code, other.code)
        same_budget = (self.budget, self.settings) == (other.budget, other.settings)
        needs = [f"needs {name}" for name in _changed(self.needs, other.needs)]
        return (*code, *(() if same_budget else ("budget",)), *needs)


def fingerprint(experiment: Experiment, scale: str) -> Fingerprint:
    """What the tables of `experiment` at `scale` depend on now.

    Of the experiment's own module only what a run can see counts: neither its prose nor the
    budgets of other scales, nor definitions that only these use.

    Raises:
        LabError: the experiment, or one that it needs, has no budget for the scale; or experiments
            need each other in a circle.
    """
    return _fingerprint(experiment, scale, ())


def _fingerprint(experiment: Experiment, scale: str, above: tuple[str, ...]) -> Fingerprint:
    """The fingerprint of an experiment that the experiments `above` need, each the one after it."""
    chain = (*above, experiment.name)
    if experiment.name in above:
        raise LabError(
            f"experiments need each other in a circle ({' needs '.join(chain)}); cut it in one "
            "of their files."
        )
    budget = scale_budget(experiment, scale)
    own = f"llmlab.experiments.{experiment.name}"
    conditions = [[name, list(levels)] for name, levels in budget.conditions.items()]
    measured = [metric.name for metric in (*experiment.metrics, *experiment.curves)]
    return Fingerprint(
        code={
            name: _experiment_digest(path) if name == own else source_digest(path)
            for name, path in closure(own).items()
        },
        budget=_hash([conditions, budget.seeds, measured]),
        settings=_hash([dict(budget.settings), budget.threads]),
        needs={
            name: _fingerprint(load_experiment(name), scale, chain).digest
            for name in experiment.needs
        },
    )


def closure(module: str) -> dict[str, Path]:
    """`module` and every llmlab module that it imports, also indirectly; sorted by name."""
    return _follow(_modules([module]))


def closure_of_file(path: Path) -> dict[str, Path]:
    """Every llmlab module that a script outside the package imports, also indirectly."""
    return _follow(_imported("", path, _version(path)))


def source_digest(path: Path) -> str:
    """SHA-256 of the source of a file, comments, docstrings and layout apart."""
    return _digest_of(path, _version(path))


Module = tuple[str, Path]
"""A module of llmlab and its file."""


def _follow(modules: Iterable[Module]) -> dict[str, Path]:
    """The modules, and what they import, and so on."""
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name, path = waiting.pop()
        if name not in found:
            found[name] = path
            waiting += _imported(name, path, _version(path))
    return dict(sorted(found.items()))


@cache
def _imported(module: str, path: Path, _version: tuple[int, int]) -> tuple[Module, ...]:
    """The modules of llmlab that a file imports itself, with the packages above them."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes(), path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return _modules(names)


def _modules(names: Iterable[str]) -> tuple[Module, ...]:
    """The modules among dotted names, and the packages that these lie in, which run first."""
    found = {prefix: _find(prefix) for name in names for prefix in _prefixes(name)}
    return tuple((name, path) for name, path in found.items() if path is not None)


def _find(module: str) -> Path | None:
    """The file of an llmlab module; None for a name inside a module."""
    stem = f"{SOURCE}/{module.replace('.', '/')}"
    candidates = (f"{stem}.py", f"{stem}/__init__.py")
    return next((Path(path) for path in candidates if os.path.isfile(path)), None)


def _prefixes(name: str) -> list[str]:
    """A dotted name of llmlab after the packages that it lies in."""
    parts = name.split(".")
    if parts[0] != "llmlab":
        return []
    return [".".join(parts[: length + 1]) for length in range(len(parts))]


def _version(path: Path) -> tuple[int, int]:
    """Changes when the file does; part of the key of what is remembered about it."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The package or module that `from ... import` names, dots resolved."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])


@cache
def _digest_of(path: Path, _version: tuple[int, int]) -> str:
    return _hash_tree(_without_docstrings(ast.parse(path.read_bytes(), path)))


def _experiment_digest(path: Path) -> str:
    return _experiment_digest_of(path, _version(path))


@cache
def _experiment_digest_of(path: Path, _version: tuple[int, int]) -> str:
    tree = _without_docstrings(ast.parse(path.read_bytes(), path))
    return _hash_tree(_without_unused(_OnlyWhatRunSees().visit(tree)))


DECLARED = {field.name for field in fields(Experiment)} - {"run"}
"""What an experiment declares beside its `run`."""


class _OnlyWhatRunSees(ast.NodeTransformer):
    """Reduces an experiment's declaration to its `run`, and axes and metrics to their names.

    What else matters of them is hashed by value. A declaration is a call with `budgets`: that of
    `Experiment`, or of what makes one.
    """

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        called = getattr(node.func, "id", None)
        if any(word.arg == "budgets" for word in node.keywords):
            node.keywords = [word for word in node.keywords if word.arg not in DECLARED]
        elif called in ("Axis", "Metric"):
            node.args = node.args[:1]
            node.keywords = [word for word in node.keywords if word.arg == "name"]
        return node


def _without_unused(tree: ast.Module) -> ast.Module:
    """Drop the top-level definitions that nothing left in the module refers to."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and _is_read(node)}
    kept = [node for node in tree.body if _defined(node) <= used | {"EXPERIMENT"}]
    if len(kept) == len(tree.body):
        return tree
    return _without_unused(ast.Module(kept, tree.type_ignores))


def _is_read(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)


def _defined(node: ast.stmt) -> set[str]:
    """The names that a plain top-level definition binds; none for any other statement."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.decorator_list:
        return {node.name}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if all(isinstance(target, ast.Name) for target in targets):
            return {target.id for target in targets}
    return set()


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [item for item in node.body if not _is_bare_string(item)]
    return tree


def _is_bare_string(node: ast.stmt) -> bool:
    """A docstring, or the string below an attribute that documents it."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _hash_tree(tree: ast.AST) -> str:
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


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _changed(new: Mapping[str, str], old: Mapping[str, str]) -> list[str]:
    return sorted(name for name in {*new, *old} if new.get(name) != old.get(name))

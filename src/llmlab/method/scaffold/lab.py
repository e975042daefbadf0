"""Create a new lab: a package with its tests, import contracts, track and part of the book."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from llmlab.method.documents import parse_toml
from llmlab.method.errors import LabError
from llmlab.method.files import read_text, write_files
from llmlab.method.project import Project
from llmlab.method.scaffold.contents import contents_file, with_part
from llmlab.method.scaffold.experiment import experiment_files, experiment_words, ledger_entries
from llmlab.method.scaffold.template import (
    adding,
    appended,
    check_absent,
    check_name,
    filled,
    names,
)

MODULES = ("data", "training", "measures")
"""The modules of a new lab; each may import those before it."""

PARENTS = (Path("src", "llmlab"), Path("tests"))
"""Folders that get a folder of the lab's name: its package, and its tests."""

NEIGHBOUR = "llmlab.gpt"
"""A lab that every contract on labs names."""


def new_lab(project: Project, name: str) -> list[Path]:
    """Write all files of a new lab, with one experiment.

    Returns:
        The files written or extended, in the order in which to edit them.

    Raises:
        LabError: the name does not fit a package and a page, the name is taken, or a file cannot be
            extended or written; nothing is changed then.
    """
    check_name(name, "a lab", example="vision")
    with adding(project):
        experiment = f"{name}_learning_rate"
        of_lab = _lab_files(project, name)
        of_experiment = experiment_files(project, experiment, script="lab/experiment.py")
        check_absent([*_packages(project, name), *of_lab, *of_experiment])
        words = experiment_words(experiment, track=name) | {"lab": name}
        lab_words = {**words, **names(name), "experiment": experiment}
        tracks, pyproject = project.ledger / "tracks.toml", project.root / "pyproject.toml"
        contract = filled("lab/contract.toml", lab_words)
        chapters = [f"concepts/{name}.ipynb", f"results/{experiment}.ipynb"]
        contents = {
            tracks: appended(tracks, "lab/track.toml", lab_words),
            **ledger_entries(project, words),
            **{path: filled(template, lab_words) for path, template in of_lab.items()},
            **{path: filled(template, words) for path, template in of_experiment.items()},
            pyproject: f"{_with_lab_in_contracts(pyproject, name)}\n{contract}",
            contents_file(project): with_part(project, lab_words["title"], chapters),
        }
        write_files(contents)
        return list(contents)


def _lab_files(project: Project, name: str) -> dict[Path, str]:
    """The template of each file that belongs to the lab alone."""
    package, tests = (project.root / parent / name for parent in PARENTS)
    return {
        package / "__init__.py": "lab/__init__.py",
        **{package / f"{module}.py": f"lab/{module}.py" for module in MODULES},
        tests / "conftest.py": "lab/conftest.py",
        **{tests / f"test_{module}.py": f"lab/test_{module}.py" for module in MODULES},
        project.chapters / "concepts" / f"{name}.py": "concept.py",
    }


def _packages(project: Project, name: str) -> Iterator[Path]:
    """Folders that the lab needs for itself, and modules that would have the same name."""
    for parent in PARENTS:
        yield project.root / parent / name
        yield project.root / parent / f"{name}.py"


def _with_lab_in_contracts(path: Path, name: str) -> str:
    """The text of `pyproject.toml` with the lab added to each import-linter contract on labs.

    Raises:
        LabError: tomlkit is not installed, the file is not TOML, or no contract lists the labs in
            a layer.
    """
    tomlkit = _tomlkit()
    text = read_text(path)
    parse_toml(text, path)
    document = tomlkit.parse(text)
    contracts = document.get("tool", {}).get("importlinter", {}).get("contracts", [])
    layers, place = _layer_of_labs(contracts, path)
    layers[place] = f"{layers[place]} | {name}"
    for contract in contracts:
        for key in ("source_modules", "forbidden_modules"):
            if NEIGHBOUR in contract.get(key, []):
                _insert(contract[key], f"llmlab.{name}")
    return tomlkit.dumps(document)


def _tomlkit() -> ModuleType:
    try:
        import tomlkit
    except ImportError as error:
        raise LabError(
            "a new lab needs the package tomlkit, which is not installed; run `pip install "
            "--constraint envs/constraints.txt tomlkit`."
        ) from error
    return tomlkit


def _layer_of_labs(contracts: Sequence[Mapping], path: Path) -> tuple[list[str], int]:
    """The layers of the whole package, and the index of the one that new labs join."""
    whole = (one for one in contracts if one.get("containers") == ["llmlab"])
    layers = next(whole, {}).get("layers", [])
    package = NEIGHBOUR.rpartition(".")[2]
    if package not in layers[1:]:
        raise LabError(
            f"{path} has no import-linter contract with a layer of labs above '{package}'; add one."
        )
    return layers, layers.index(package) - 1


def _insert(modules: list[str], new: str) -> None:
    """Insert a module into a sorted list."""
    modules.insert(next((n for n, one in enumerate(modules) if one > new), len(modules)), new)

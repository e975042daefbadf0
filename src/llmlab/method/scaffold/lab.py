"""Create a new lab: a package with its tests, import contracts, track and part of the book."""

from pathlib import Path

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
        room, tests = project.root / "src" / "llmlab" / name, project.root / "tests" / name
        concept = project.chapters / "concepts" / f"{name}.py"
        of_lab = {
            room / "__init__.py": "lab/__init__.py",
            **{room / f"{module}.py": f"lab/{module}.py" for module in MODULES},
            tests / "conftest.py": "lab/conftest.py",
            **{tests / f"test_{module}.py": f"lab/test_{module}.py" for module in MODULES},
            concept: "concept.py",
        }
        of_experiment = experiment_files(project, experiment)
        script = next(iter(of_experiment))
        check_absent([room, room.with_suffix(".py"), tests, tests.with_suffix(".py"), concept])
        check_absent(of_experiment)
        words = experiment_words(experiment, track=name)
        room_words = {**words, **names(name), "experiment": experiment}
        tracks, pyproject = project.ledger / "tracks.toml", project.root / "pyproject.toml"
        chapters = [f"concepts/{name}.ipynb", f"results/{experiment}.ipynb"]
        contents = {
            tracks: appended(tracks, "lab/track.toml", room_words),
            **ledger_entries(project, words),
            **{path: filled(template, room_words) for path, template in of_lab.items()},
            **{path: filled(template, words) for path, template in of_experiment.items()},
            script: filled("lab/experiment.py", {**words, "lab": name}),
            pyproject: f"{_with_walls(pyproject, name)}\n{filled('lab/contract.toml', room_words)}",
            contents_file(project): with_part(project, room_words["title"], chapters),
        }
        write_files(contents)
        return list(contents)


def _with_walls(path: Path, name: str) -> str:
    """The text of `pyproject.toml` with the lab added to each import-linter contract on labs.

    Raises:
        LabError: tomlkit is not installed, the file is not TOML, or no contract lists the labs in
            a layer.
    """
    try:
        import tomlkit
    except ImportError as error:
        raise LabError(
            "a new lab needs the package tomlkit, which is not installed; run `pip install "
            "--constraint envs/constraints.txt tomlkit`."
        ) from error
    text = read_text(path)
    parse_toml(text, path)
    document = tomlkit.parse(text)
    contracts = document.get("tool", {}).get("importlinter", {}).get("contracts", [])
    house = [one for one in contracts if one.get("containers") == ["llmlab"]]
    package = NEIGHBOUR.rpartition(".")[2]
    if not (house and package in house[0].get("layers", [])[1:]):
        raise LabError(
            f"{path} has no import-linter contract with a layer of labs above '{package}'; add one."
        )
    layers = house[0]["layers"]
    above = layers.index(package) - 1
    layers[above] = f"{layers[above]} | {name}"
    for contract in contracts:
        for key in ("source_modules", "forbidden_modules"):
            if NEIGHBOUR in contract.get(key, []):
                _insert(contract[key], f"llmlab.{name}")
    return tomlkit.dumps(document)


def _insert(modules: list[str], new: str) -> None:
    """Insert a module into a sorted list."""
    modules.insert(next((n for n, one in enumerate(modules) if one > new), len(modules)), new)

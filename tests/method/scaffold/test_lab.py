import errno
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import llmlab
from llmlab.method.errors import LabError
from llmlab.method.judging.ledger_files import load_ledger
from llmlab.method.scaffold.lab import new_lab

pytestmark = pytest.mark.long

CONTENTS = """book:
  chapters:
    - part: Results
      chapters:
        - results/first.ipynb
    - part: Learnings
      chapters:
        - learnings/first.ipynb
"""

CONFIGURATION = Path(__file__).parents[3] / "pyproject.toml"


@pytest.fixture
def house(ledger_lab, monkeypatch: pytest.MonkeyPatch):
    """A lab with the configuration of the real one and a book of two parts."""
    rooms = [*llmlab.__path__, str(ledger_lab.root / "src" / "llmlab")]
    monkeypatch.setattr(llmlab, "__path__", rooms)  # a new room stands in the lab alone
    (ledger_lab.root / "pyproject.toml").write_text(CONFIGURATION.read_text(encoding="utf-8"))
    (ledger_lab.root / "_quarto.yml").write_text(CONTENTS)
    yield ledger_lab
    for name in [name for name in sys.modules if name.startswith("llmlab.vision")]:
        del sys.modules[name]


def commands(root: Path) -> list[list[str | Path]]:
    """What `make test` runs, of the tests those of the lab alone."""
    python = Path(sys.executable)
    experiment = "tests/experiments/test_vision_learning_rate.py"
    return [
        [python, "-m", "ruff", "format", "--check"],
        [python, "-m", "ruff", "check"],
        [python.with_name("lint-imports"), "--no-logo", "--no-cache"],
        [python, "-m", "pytest", "-p", "no:cacheprovider", "tests/vision", experiment],
        [python, "-m", "llmlab", "run", "vision_learning_rate", "--scale", "smoke", "--workers=1"],
    ]


def test_all_that_is_written_passes_every_check_and_runs(house) -> None:
    new_lab(house.project, "vision")
    environment = os.environ | {"PYTHONPATH": str(house.root / "src")}
    started = [
        subprocess.Popen(
            command,
            cwd=house.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command in commands(house.root)
    ]
    said = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0] * len(started), "\n".join(said)
    assert "The modules of the Vision lab KEPT" in said[2]
    assert "6 passed" in said[3]


def test_a_lab_stands_in_the_ledger_and_before_the_last_part_of_the_book(house) -> None:
    written = new_lab(house.project, "vision")
    assert len(written) == len(set(written)) == 17
    ledger = load_ledger(house.project)
    (question,) = ledger.questions
    assert (ledger.tracks[-1].id, question.track) == ("vision", "vision")
    assert (house.root / "_quarto.yml").read_text().splitlines()[5:9] == [
        "    - part: Vision",
        "      chapters:",
        "        - concepts/vision.ipynb",
        "        - results/vision_learning_rate.ipynb",
    ]


def test_the_walls_of_labs_are_built_around_it_and_nothing_else_is_changed(house) -> None:
    new_lab(house.project, "vision")
    old = CONFIGURATION.read_text(encoding="utf-8").splitlines()
    new = (house.root / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    assert len(set(old) - set(new)) == 2  # the layer of the labs, and what the book may not know
    tool = tomllib.loads("\n".join(new))["tool"]
    contracts = {one["name"]: one for one in tool["importlinter"]["contracts"]}
    book = contracts["The book knows nothing of the labs: tables stand between"]
    assert book["forbidden_modules"] == sorted(book["forbidden_modules"])
    assert "llmlab.vision" in book["forbidden_modules"]


@pytest.mark.parametrize("name", ["Vision", "class", "a" * 33])
def test_a_name_that_no_package_can_have_is_refused(name: str, house, everything) -> None:
    before = everything(house.root)
    with pytest.raises(
        LabError, match=f"'{name}' cannot name a lab; use at most 32 lower-case letters"
    ):
        new_lab(house.project, name)
    assert everything(house.root) == before


@pytest.mark.parametrize("name", ["book", "cli", "vision"])
def test_a_name_that_is_taken_is_refused(name: str, house, everything) -> None:
    new_lab(house.project, "vision")
    before = everything(house.root)
    with pytest.raises(LabError, match=rf"{name}(\.py)? exists; choose another name"):
        new_lab(house.project, name)
    assert everything(house.root) == before


@pytest.mark.parametrize(
    ("file", "cause"),
    [
        ("pyproject.toml", "has no import-linter contract with a layer of labs above 'gpt'"),
        ("_quarto.yml", 'has no part before which to insert "Vision"'),
    ],
)
def test_a_house_without_a_place_for_a_lab_is_left_as_it_was(
    file: str, cause: str, house, everything
) -> None:
    (house.root / file).write_text("")
    before = everything(house.root)
    with pytest.raises(LabError, match=cause):
        new_lab(house.project, "vision")
    assert everything(house.root) == before


@pytest.mark.parametrize("name", ["a", "a" * 32])
def test_short_and_long_names_are_well_formed(name: str, house) -> None:
    written = [path for path in new_lab(house.project, name) if path.suffix == ".py"]
    for verb in (["format", "--check"], ["check"]):
        ruff = [sys.executable, "-m", "ruff", *verb, *written]
        done = subprocess.run(ruff, cwd=house.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_a_disk_that_is_full_in_the_midst_leaves_all_as_it_was(
    house, everything, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, data: bytes) -> int:
        if path.name.startswith(".test_measures.py"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(path, data)

    write_bytes = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", write)
    before = everything(house.root)
    with pytest.raises(LabError, match=r"cannot write .*test_measures\.py: No space left"):
        new_lab(house.project, "vision")
    assert everything(house.root) == before


def test_a_configuration_that_is_no_toml_is_one_sentence(house) -> None:
    (house.root / "pyproject.toml").write_text("[tool\n")
    with pytest.raises(LabError, match=r"pyproject.toml is not valid TOML"):
        new_lab(house.project, "vision")

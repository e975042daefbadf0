import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from llmlab.book.lint import typed_numbers
from llmlab.method.catalog import catalog
from llmlab.method.errors import LabError
from llmlab.method.ledger import load_ledger
from llmlab.method.runner import run_experiment
from llmlab.method.scaffold import scaffold

TRACK = """
[[track]]
id = "tuning"
title = "Tuning"
goal = "To tune."

[[track.phase]]
id = "first"
title = "First"
goal = "To begin."

[[track.phase.feature]]
title = "A file"
files = ["README.md"]
"""


@pytest.fixture
def book(lab):
    """A lab with an empty ledger and a book of one chapter."""
    (lab.project.ledger / "tracks.toml").write_text(TRACK)
    (lab.project.ledger / "questions.toml").write_text("# Questions.\n")
    (lab.project.ledger / "hypotheses.toml").write_text("")
    (lab.root / "_quarto.yml").write_text(
        "book:\n  chapters:\n    - index.ipynb\n      - results/first.ipynb\n    - last.ipynb\n"
    )
    return lab


def everything(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_new_experiment_runs_and_its_ledger_is_right(book) -> None:
    written = scaffold(book.project, "batch_size")
    assert [path.relative_to(book.root).as_posix() for path in written] == [
        "chapters/hypotheses/questions.toml",
        "chapters/hypotheses/hypotheses.toml",
        "src/llmlab/experiments/batch_size.py",
        "chapters/results/batch_size.py",
        "tests/experiments/test_batch_size.py",
        "_quarto.yml",
    ]
    assert run_experiment(catalog()["batch_size"], "smoke", book.project).rows == 4
    (hypothesis,) = load_ledger(book.project).hypotheses
    assert (hypothesis.id, hypothesis.question) == ("H-BATCH-SIZE-1", "Q-BATCH-SIZE")


def test_its_test_passes(book, tmp_path: Path) -> None:
    scaffold(book.project, "batch_size")
    test = runpy.run_path(str(book.root / "tests" / "experiments" / "test_batch_size.py"))
    test["test_a_run_measures_what_is_declared_and_repeats"](tmp_path)


def test_its_chapter_runs_and_types_no_number(book, monkeypatch: pytest.MonkeyPatch) -> None:
    scaffold(book.project, "batch_size")
    run_experiment(catalog()["batch_size"], "smoke", book.project)
    chapter = book.project.chapters / "results" / "batch_size.py"
    assert typed_numbers(chapter.read_text(), "results/batch_size") == []
    monkeypatch.chdir(book.root)
    runpy.run_path(str(chapter))


def test_its_files_are_well_formed(book) -> None:
    written = [path for path in scaffold(book.project, "batch_size") if path.suffix == ".py"]
    ruff = [sys.executable, "-m", "ruff", "format", "--check", "--line-length=100", *written]
    assert subprocess.run(ruff, capture_output=True, text=True, check=False).returncode == 0


def test_the_book_lists_the_chapter_after_the_last_result(book) -> None:
    scaffold(book.project, "batch_size")
    lines = (book.root / "_quarto.yml").read_text().splitlines()
    assert lines[3:5] == ["      - results/first.ipynb", "      - results/batch_size.ipynb"]


def test_two_experiments_stand_beside_each_other(book) -> None:
    scaffold(book.project, "first_one")
    scaffold(book.project, "second_one")
    assert [question.id for question in load_ledger(book.project).questions] == [
        "Q-FIRST-ONE",
        "Q-SECOND-ONE",
    ]


@pytest.mark.parametrize("name", ["", "Rank", "two words", "a-b", "1st", "class", "a__b", "_a"])
def test_a_name_that_no_module_or_page_can_have_is_refused(book, name: str) -> None:
    before = everything(book.root)
    with pytest.raises(LabError, match=f"'{name}' cannot name an experiment; use small letters"):
        scaffold(book.project, name)
    assert everything(book.root) == before


def test_an_existing_experiment_is_never_overwritten(book) -> None:
    scaffold(book.project, "batch_size")
    before = everything(book.root)
    with pytest.raises(LabError, match=r"batch_size.py exists; choose another name"):
        scaffold(book.project, "batch_size")
    assert everything(book.root) == before


def test_an_id_in_the_ledger_is_not_taken_twice(book) -> None:
    scaffold(book.project, "batch_size")
    for path in ("src/llmlab/experiments", "chapters/results", "tests/experiments"):
        next((book.root / path).glob("*batch_size.py")).unlink()
    (book.project.ledger / "hypotheses.toml").write_text("")
    with pytest.raises(LabError, match=r'has an entry with id = "Q-BATCH-SIZE"; choose another'):
        scaffold(book.project, "batch_size")


def test_a_file_that_cannot_be_written_leaves_all_as_it_was(book) -> None:
    (book.root / "tests").write_text("in the way")
    before = everything(book.root)
    with pytest.raises(LabError, match=r"cannot write .*test_batch_size\.py"):
        scaffold(book.project, "batch_size")
    assert everything(book.root) == before

import runpy
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llmlab.book.press.lint import typed_numbers
from llmlab.method.declare.catalog import catalog
from llmlab.method.errors import LabError
from llmlab.method.judging.ledger_files import load_ledger
from llmlab.method.running.runner import run_experiment
from llmlab.method.scaffold import experiment
from llmlab.method.scaffold.experiment import new_experiment


def test_a_new_experiment_runs_and_its_ledger_is_right(ledger_lab) -> None:
    written = new_experiment(ledger_lab.project, "batch_size")
    assert [path.relative_to(ledger_lab.root).as_posix() for path in written] == [
        "chapters/hypotheses/questions.toml",
        "chapters/hypotheses/hypotheses.toml",
        "src/llmlab/experiments/batch_size.py",
        "chapters/results/batch_size.py",
        "tests/experiments/test_batch_size.py",
        "_quarto.yml",
    ]
    assert run_experiment(catalog()["batch_size"], "smoke", ledger_lab.project).rows == 4
    (hypothesis,) = load_ledger(ledger_lab.project).hypotheses
    assert (hypothesis.id, hypothesis.question) == ("H-BATCH-SIZE-1", "Q-BATCH-SIZE")


def test_its_test_passes(ledger_lab, tmp_path: Path) -> None:
    new_experiment(ledger_lab.project, "batch_size")
    test = runpy.run_path(str(ledger_lab.root / "tests" / "experiments" / "test_batch_size.py"))
    test["test_a_run_measures_what_is_declared_and_repeats"](tmp_path)


def test_its_chapter_runs_and_types_no_number(ledger_lab, monkeypatch: pytest.MonkeyPatch) -> None:
    new_experiment(ledger_lab.project, "batch_size")
    run_experiment(catalog()["batch_size"], "smoke", ledger_lab.project)
    chapter = ledger_lab.project.chapters / "results" / "batch_size.py"
    assert typed_numbers(chapter.read_text(), "results/batch_size") == []
    monkeypatch.chdir(ledger_lab.root)
    runpy.run_path(str(chapter))


def test_its_files_are_well_formed(ledger_lab) -> None:
    written = [
        path for path in new_experiment(ledger_lab.project, "batch_size") if path.suffix == ".py"
    ]
    ruff = [sys.executable, "-m", "ruff", "format", "--check", "--line-length=100", *written]
    assert subprocess.run(ruff, capture_output=True, text=True, check=False).returncode == 0


def test_the_book_lists_the_chapter_after_the_last_result(ledger_lab) -> None:
    new_experiment(ledger_lab.project, "batch_size")
    lines = (ledger_lab.root / "_quarto.yml").read_text().splitlines()
    assert lines[3:5] == ["      - results/first.ipynb", "      - results/batch_size.ipynb"]


def test_two_experiments_stand_beside_each_other(ledger_lab) -> None:
    new_experiment(ledger_lab.project, "first_one")
    new_experiment(ledger_lab.project, "second_one")
    assert [question.id for question in load_ledger(ledger_lab.project).questions] == [
        "Q-FIRST-ONE",
        "Q-SECOND-ONE",
    ]


@pytest.mark.parametrize(
    "name", ["", "Rank", "two words", "a-b", "1st", "class", "a__b", "_a", "a" * 33]
)
def test_a_name_that_no_module_or_page_can_have_is_refused(
    name: str, ledger_lab, everything
) -> None:
    before = everything(ledger_lab.root)
    with pytest.raises(
        LabError, match=f"'{name}' cannot name an experiment; use at most 32 lower-case letters"
    ):
        new_experiment(ledger_lab.project, name)
    assert everything(ledger_lab.root) == before


def test_an_existing_experiment_is_never_overwritten(ledger_lab, everything) -> None:
    new_experiment(ledger_lab.project, "batch_size")
    before = everything(ledger_lab.root)
    with pytest.raises(LabError, match=r"batch_size.py exists; choose another name"):
        new_experiment(ledger_lab.project, "batch_size")
    assert everything(ledger_lab.root) == before


def test_an_id_in_the_ledger_is_not_taken_twice(ledger_lab) -> None:
    new_experiment(ledger_lab.project, "batch_size")
    for path in ("src/llmlab/experiments", "chapters/results", "tests/experiments"):
        next((ledger_lab.root / path).glob("*batch_size.py")).unlink()
    (ledger_lab.project.ledger / "hypotheses.toml").write_text("")
    with pytest.raises(LabError, match=r'has an entry with id = "Q-BATCH-SIZE"; choose another'):
        new_experiment(ledger_lab.project, "batch_size")


def test_a_file_that_cannot_be_written_leaves_all_as_it_was(ledger_lab, everything) -> None:
    (ledger_lab.root / "tests").write_text("in the way")
    before = everything(ledger_lab.root)
    with pytest.raises(LabError, match=r"cannot write .*test_batch_size\.py"):
        new_experiment(ledger_lab.project, "batch_size")
    assert everything(ledger_lab.root) == before


def test_two_processes_that_add_at_once_lose_nothing(
    ledger_lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(contents: dict[Path, str]) -> None:
        time.sleep(0.1)
        write_files(contents)

    write_files = experiment.write_files
    monkeypatch.setattr(experiment, "write_files", slowly)
    names = ["one", "two", "three"]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: new_experiment(ledger_lab.project, name), names))
    found = {one.experiment for one in load_ledger(ledger_lab.project).hypotheses}
    listed = (ledger_lab.root / "_quarto.yml").read_text()
    assert found == set(names)
    assert all(f"results/{name}.ipynb" in listed for name in names)


def test_a_ledger_that_is_no_text_is_one_sentence(ledger_lab, everything) -> None:
    (ledger_lab.root / "_quarto.yml").write_bytes(b"book: \xe9\n")
    before = everything(ledger_lab.root)
    with pytest.raises(LabError, match=r"_quarto.yml is not UTF-8 text"):
        new_experiment(ledger_lab.project, "batch_size")
    assert everything(ledger_lab.root) == before

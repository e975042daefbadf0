import runpy
import subprocess
import sys

import pytest

from llmlab.method.errors import LabError
from llmlab.method.scaffold.concept import new_concept
from llmlab.method.scaffold.experiment import new_experiment

CONTENTS = """book:
  chapters:
    - concepts/first.ipynb
    - results/first.ipynb
"""


@pytest.fixture
def concept_lab(ledger_lab):
    """A lab with a registered hypothesis, whose book has a concept."""
    (ledger_lab.root / "_quarto.yml").write_text(CONTENTS)
    new_experiment(ledger_lab.project, "batch_size")
    return ledger_lab


def test_a_new_concept_is_a_chapter_that_the_book_lists(concept_lab) -> None:
    written = new_concept(concept_lab.project, "loss_landscapes")
    assert [path.relative_to(concept_lab.root).as_posix() for path in written] == [
        "chapters/concepts/loss_landscapes.py",
        "_quarto.yml",
    ]
    lines = (concept_lab.root / "_quarto.yml").read_text().splitlines()
    assert lines[2:4] == ["    - concepts/first.ipynb", "    - concepts/loss_landscapes.ipynb"]


def test_a_concept_runs_and_is_well_formed(concept_lab, monkeypatch: pytest.MonkeyPatch) -> None:
    chapter, _ = new_concept(concept_lab.project, "loss_landscapes")
    monkeypatch.chdir(concept_lab.root)
    runpy.run_path(str(chapter))
    ruff = [sys.executable, "-m", "ruff", "format", "--check", "--line-length=100", chapter]
    assert subprocess.run(ruff, capture_output=True, text=True, check=False).returncode == 0


def test_a_concept_begins_with_a_picture_and_ends_with_what_tests_it(concept_lab) -> None:
    chapter, _ = new_concept(concept_lab.project, "loss_landscapes")
    text = chapter.read_text()
    parts = [
        "{#sec-loss-landscapes}",
        "fig-loss-landscapes-idea",
        "{#eq-",
        "## Live",
        "H-BATCH-SIZE-1",
    ]
    assert sorted(parts, key=text.index) == parts


def test_a_concept_that_nothing_tests_is_refused(ledger_lab, everything) -> None:
    before = everything(ledger_lab.root)
    with pytest.raises(LabError, match=r"no hypothesis for a concept to end with; register one"):
        new_concept(ledger_lab.project, "loss_landscapes")
    assert everything(ledger_lab.root) == before


def test_an_existing_concept_is_never_overwritten(concept_lab) -> None:
    new_concept(concept_lab.project, "loss_landscapes")
    with pytest.raises(LabError, match=r"loss_landscapes.py exists; choose another name"):
        new_concept(concept_lab.project, "loss_landscapes")


def test_a_concept_has_a_name_that_a_page_can_have(concept_lab) -> None:
    with pytest.raises(
        LabError, match="'Loss' cannot name a concept; use at most 32 lower-case letters"
    ):
        new_concept(concept_lab.project, "Loss")

"""Versions in a real repository."""

import shutil
from pathlib import Path

import pytest
from conftest import Lab

from llmlab.book.versions.comparison import changes_since_former
from llmlab.book.versions.tags import check_version, former_version, numbers, version_tags
from llmlab.method.errors import LabError
from tests.book.repository import git

QUESTION = '[[question]]\nid = "Q-TOY"\ntext = "Does it?"\ntrack = "tuning"\n'
HYPOTHESIS = """
[[hypothesis]]
id = "H-TOY"
question = "Q-TOY"
experiment = "toy"
title = "It does"
statement = "It does."
reason = "A theory."
metric = "loss"
claim = "less"
margin = 0.1
family = "toy"
registered = 2026-01-31
treatment = { rate = 0.1 }
control = { rate = 1e-05 }
"""


def commit(root: Path, text: str) -> None:
    (root / "change.txt").write_text(text)
    git(root, "add", "change.txt")
    git(root, "commit", "-m", text)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    for version in ("v0.9", "v0.10", "nonsense"):
        commit(tmp_path, version)
        git(tmp_path, "tag", "-a", version, "-m", version)
    return tmp_path


def test_versions_are_ordered_by_their_numbers_and_a_tag_here_is_not_the_former(
    repository: Path,
) -> None:
    assert [tag.version for tag in version_tags(repository)] == ["0.10", "0.9"]
    assert former_version(repository).version == "0.10"
    commit(repository, "more")
    git(repository, "tag", "v1.0")
    assert former_version(repository).version == "0.10"
    assert [tag.version for tag in version_tags(repository)] == ["1.0", "0.10", "0.9"]


def test_where_there_is_no_git_there_is_no_version(tmp_path: Path) -> None:
    assert former_version(tmp_path) is None


def test_numbers_order_versions() -> None:
    assert sorted(["1.10", "1.9.1", "1.9"], key=numbers) == ["1.9", "1.9.1", "1.10"]


@pytest.mark.parametrize("version", ["", "1", "v1.0", "1.0-rc1", "../1.0", "1.0.0.0", "١.٠"])
def test_a_version_has_numbers_alone(version: str) -> None:
    with pytest.raises(LabError, match="is not a version"):
        check_version(version)


def test_a_tag_is_judged_by_its_own_code_from_its_own_tables(ledger_lab: Lab) -> None:
    root = ledger_lab.root
    ledger_lab.add()
    (ledger_lab.project.ledger / "questions.toml").write_text(QUESTION)
    git(root, "init", "-q")
    git(root, "add", "--all")
    git(root, "commit", "-m", "first")
    git(root, "tag", "v1.0")
    (ledger_lab.project.ledger / "hypotheses.toml").write_text(HYPOTHESIS)
    git(root, "commit", "-a", "-m", "a hypothesis")
    found = changes_since_former(ledger_lab.project)
    assert found.former.version == "1.0"
    assert [(claim.id, claim.word) for claim in found.new] == [("H-TOY", "UNTESTED")]
    assert changes_since_former(ledger_lab.project) == found  # from what was kept


def test_a_hypothesis_that_nobody_has_run_was_untested_in_that_version(ledger_lab: Lab) -> None:
    root = ledger_lab.root
    ledger_lab.add()
    shutil.rmtree(root / "build" / "results", ignore_errors=True)
    (ledger_lab.project.ledger / "questions.toml").write_text(QUESTION)
    (ledger_lab.project.ledger / "hypotheses.toml").write_text(HYPOTHESIS)
    git(root, "init", "-q")
    git(root, "add", "--all")
    git(root, "commit", "-m", "first")
    git(root, "tag", "v1.0")
    commit(root, "more")
    found = changes_since_former(ledger_lab.project)
    assert [(claim.id, claim.word) for claim in found.former.claims] == [("H-TOY", "UNTESTED")]
    assert found.is_empty

import subprocess
from pathlib import Path

import pytest

from llmlab.method.evidence.provenance import available_cores, device, git_state, host, libraries


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", "-C", root, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit of source and results."""
    for folder in ("src", "results"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text("committed")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    return tmp_path


def test_a_clean_checkout_has_a_commit_and_is_not_dirty(checkout: Path) -> None:
    commit, dirty = git_state(checkout)
    assert len(commit) == 40
    assert not dirty


def test_changed_source_is_dirty(checkout: Path) -> None:
    (checkout / "src" / "file").write_text("changed")
    assert git_state(checkout)[1]


def test_source_that_no_commit_has_is_dirty(checkout: Path) -> None:
    (checkout / "src" / "new").write_text("not yet tracked")
    assert git_state(checkout)[1]


def test_changed_results_are_not_dirty(checkout: Path) -> None:
    (checkout / "results" / "file").write_text("changed")
    assert not git_state(checkout)[1]


def test_only_the_sources_asked_for_count(checkout: Path) -> None:
    (checkout / "src" / "new").write_text("not yet tracked")
    assert not git_state(checkout, [checkout / "src" / "file"])[1]


def test_a_folder_without_repository_has_an_unknown_commit(tmp_path: Path) -> None:
    assert git_state(tmp_path) == ("unknown", False)


def test_a_machine_without_git_has_an_unknown_commit(checkout: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_state(checkout) == ("unknown", False)


def test_the_machine_is_described() -> None:
    assert device().startswith(f"{available_cores()} x ")
    assert len(host().split()) == 2
    assert {"python", "numpy", "torch"} <= libraries().keys()

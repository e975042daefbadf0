"""What git knows of the order of hypotheses and results, in real repositories."""

import os
import subprocess

import pytest

from llmlab.method.judging.registration import LEDGER, read_history, registration
from llmlab.method.project import Project

ENTRY = '[[hypothesis]]\nid = "{}"\nmargin = {}\n'
RESULT = "results/laptop/dose/runs.csv"


class Repository:
    """A repository whose commits write one file or several."""

    def __init__(self, root):
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments):
        identity = {"NAME": "A", "EMAIL": "a@example.org"}
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("GIT_")
        } | {f"GIT_{who}_{k}": v for who in ("AUTHOR", "COMMITTER") for k, v in identity.items()}
        command = ["git", "-c", "commit.gpgsign=false", *arguments]
        done = subprocess.run(
            command, cwd=self.root, env=environment, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    def write(self, **files):
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text, encoding="utf-8")

    def commit(self, **files):
        self.write(**files)
        self.git("add", ".")
        self.git("commit", "-q", "--allow-empty", "-m", "change")
        return self.git("rev-parse", "HEAD")

    def registration(self, scale="laptop", hypothesis="H-A"):
        return registration(read_history(Project(self.root)), hypothesis, "dose", scale)


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "book")


def ledger(*ids, margin=0.1):
    return {LEDGER: "".join(ENTRY.format(name, margin) for name in ids)}


def test_a_hypothesis_committed_before_its_result_precedes_it(repository):
    first = repository.commit(**ledger("H-A"))
    repository.commit(**ledger("H-B", "H-A"))
    result = repository.commit(**{RESULT: "1"})
    repository.commit(**{RESULT: "2"})
    found = repository.registration()
    assert (found.order, found.edited) == ("before", ())
    assert (found.commit.id, found.result.id) == (first, result)
    assert f"Registered in {first[:7]}" in found.text


def test_a_hypothesis_committed_after_its_result_says_so(repository):
    repository.commit(**ledger("H-B"))
    repository.commit(**{RESULT: "1"})
    repository.commit(**ledger("H-B", "H-A"))
    found = repository.registration()
    assert found.order == "after"
    assert "after its result" in found.text


def test_one_commit_with_both_does_not_precede(repository):
    repository.commit(**ledger("H-A"), **{RESULT: "1"})
    assert repository.registration().order == "same commit"


def test_an_edit_after_the_result_is_told(repository):
    repository.commit(**ledger("H-A"))
    repository.commit(**ledger("H-A", margin=0.2))
    repository.commit(**{RESULT: "1"})
    assert repository.registration().edited == ()
    repository.write(**ledger("H-A", margin=0.3))
    found = repository.registration()
    assert (found.order, found.edited) == ("before", ("margin",))
    assert found.text.endswith("Edited after the result: margin.")


def test_each_scale_has_its_own_order(repository):
    repository.commit(**{RESULT: "1"})
    repository.commit(**ledger("H-A"))
    repository.commit(**{"results/gpu/dose/runs.csv": "1"})
    assert repository.registration("laptop").order == "after"
    assert repository.registration("gpu").order == "before"
    assert repository.registration("smoke").order == "no result"
    assert repository.registration(None).order == "no result"


def test_order_follows_branches_not_dates(repository):
    repository.commit(**{"README.md": "book"})
    repository.git("checkout", "-q", "-b", "results")
    repository.commit(**{RESULT: "1"})
    repository.git("checkout", "-q", "main")
    repository.commit(**ledger("H-A"))
    repository.git("merge", "-q", "--no-ff", "-m", "merge", "results")
    assert repository.registration().order == "after"


def test_what_is_not_committed_is_told(repository):
    repository.commit(**{"README.md": "book"})
    repository.write(**ledger("H-A"))
    assert repository.registration().order == "not committed"


@pytest.mark.parametrize(
    "broken",
    [
        "hypothesis = 5",
        "hypothesis = [1, {id = 2}]",
        "[hypothesis]\nid = 'H-A'",
        "[[hypothesis]]\nmargin = 1",
        "hypothesis = " + "[" * 100_000,
        "hypothesis = " + "9" * 6000,
        "\N{BYTE ORDER MARK}[[hypothesis]]",
    ],
    ids=["number", "list", "table", "no id", "deep", "long", "mark"],
)
def test_whatever_an_old_ledger_held_its_history_is_read(broken, repository):
    repository.commit(**{LEDGER: broken})
    first = repository.commit(**ledger("H-A"))
    repository.commit(**{RESULT: "1"})
    found = repository.registration()
    assert (found.order, found.commit.id) == ("before", first)


def test_a_broken_old_ledger_does_not_matter(repository):
    repository.commit(**{LEDGER: "[[hypothesis"})
    repository.commit(**ledger("H-A"))
    repository.commit(**{RESULT: "1"})
    assert repository.registration().order == "before"


def test_a_book_below_the_root_of_its_repository_is_found(repository):
    book = Repository.__new__(Repository)
    book.root = repository.root / "docs" / "book"
    book.root.mkdir(parents=True)
    book.commit(**ledger("H-A"))
    book.commit(**{RESULT: "1"})
    assert book.registration().order == "before"


def test_a_shallow_clone_knows_nothing(repository, tmp_path):
    repository.commit(**ledger("H-A"))
    repository.commit(**{RESULT: "1"})
    url = f"file://{repository.root}"
    repository.git("clone", "-q", "--depth", "1", url, str(tmp_path / "clone"))
    assert read_history(Project(tmp_path / "clone")) is None
    found = registration(None, "H-A", "dose", "laptop")
    assert found.order == "unknown"


def test_a_folder_without_git_knows_nothing(tmp_path):
    assert read_history(Project(tmp_path)) is None


def test_a_repository_without_commits_knows_nothing(repository):
    assert read_history(Project(repository.root)) is None


def test_where_git_fails_nothing_is_known(repository, monkeypatch):
    repository.commit(**ledger("H-A"))
    failing = {"diff.orderFile": "/nowhere"}
    monkeypatch.setattr("llmlab.method.git.SETTINGS", failing)
    assert read_history(Project(repository.root)) is None

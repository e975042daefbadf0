"""What git answers does not depend on what the user, the repository or the terminal has set."""

import os
import subprocess
from pathlib import Path

import pytest

from llmlab.method.errors import LabError
from llmlab.method.evidence.provenance import git_state
from llmlab.method.git import git, worktree

SETTINGS = {
    "signatures": "[log]\n\tshowSignature = true\n",
    "colours": "[color]\n\tui = always\n\tstatus = always\n",
    "a pager": "[core]\n\tpager = false\n[pager]\n\tlog = false\n\tstatus = false\n",
    "a format": "[format]\n\tpretty = fuller\n[log]\n\tdecorate = full\n\tdate = relative\n",
    "an encoding": "[i18n]\n\tlogOutputEncoding = latin-1\n",
    "an encoding of two bytes": "[i18n]\n\tlogOutputEncoding = utf-16\n",
    "an order of files": "[diff]\n\torderFile = /nowhere\n",
    "hidden files": "[status]\n\tshowUntrackedFiles = no\n\tshort = true\n\tbranch = true\n",
    "relative paths": "[status]\n\trelativePaths = false\n[diff]\n\trelative = true\n",
    "quoted paths": "[core]\n\tquotePath = true\n\tprecomposeUnicode = true\n",
    "a monitor": "[core]\n\tfsmonitor = false-is-no-program\n",
    "roots without files": "[log]\n\tshowRoot = false\n\tdiffMerges = on\n\tmailmap = true\n",
    "another diff": "[diff]\n\texternal = false\n\tnoPrefix = true\n\tsubmodule = log\n",
    "columns": "[column]\n\tui = always\n[core]\n\tabbrev = 4\n\tcommentChar = %\n",
    "no files": "[core]\n\tbare = true\n",
    "files elsewhere": "[core]\n\tworktree = /nowhere\n",
    "renames": "[log]\n\tfollow = true\n[diff]\n\trenames = copies\n[status]\n\trenames = copies\n",
}
VARIABLES = {
    "GIT_DIR": "/nowhere",
    "GIT_WORK_TREE": "/nowhere",
    "GIT_INDEX_FILE": "/nowhere",
    "GIT_OBJECT_DIRECTORY": "/nowhere",
    "GIT_CEILING_DIRECTORIES": "/",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_CONFIG_SYSTEM": "/nowhere",
    "GIT_PAGER": "false",
    "GIT_TRACE": "1",
    "GIT_EXTERNAL_DIFF": "false",
    "GIT_CONFIG_PARAMETERS": "'color.ui=always'",
    "LC_ALL": "de_DE.UTF-8",
}
WHO = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in {"NAME": "A", "EMAIL": "a@example.org"}.items()
}
QUESTIONS = (
    ("rev-parse", "--is-shallow-repository", "HEAD"),
    ("log", "-z", "-m", "--first-parent", "--name-only", "--format=%x02%H %cs"),
    ("status", "--porcelain", "-z", "--untracked-files=all"),
)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes | None]]:
    """A repository with a commit, a change and a new file, and what git says of it."""
    root = tmp_path_factory.mktemp("repository")
    (root / "café.txt").write_text("one\n", encoding="utf-8")
    neutral = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    neutral |= WHO
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "café", "--no-gpg-sign"]):
        subprocess.run(["git", *command], cwd=root, env=neutral, check=True)
    (root / "café.txt").write_text("two\n", encoding="utf-8")
    (root / "new.txt").write_text("new\n", encoding="utf-8")
    return root, answers(root)


def answers(root: Path) -> list[bytes | None]:
    return [git(root, *question) for question in QUESTIONS]


def test_a_commit_that_is_replaced_counts_as_it_was(known: tuple[Path, list[bytes | None]]) -> None:
    root, _ = known
    before = git(root, "log", "-1", "--format=%s")
    tree, head = (git(root, "rev-parse", what).decode().strip() for what in ("HEAD^{tree}", "HEAD"))
    made = subprocess.run(
        ["git", "commit-tree", tree, "-m", "another"],
        cwd=root,
        env=os.environ | WHO,
        stdout=subprocess.PIPE,
        check=True,
    )
    git(root, "replace", head, made.stdout.decode().strip())
    after = git(root, "log", "-1", "--format=%s")
    git(root, "replace", "--delete", head)
    assert after == before == "café\n".encode()


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_change_no_answer(
    name: str, known, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, right = known
    own = root / ".git" / "config"
    before = own.read_bytes()
    (tmp_path / ".gitconfig").write_text(SETTINGS[name], encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    own.write_bytes(before + SETTINGS[name].encode())
    try:
        assert answers(root) == right
    finally:
        own.write_bytes(before)
    assert None not in right


@pytest.mark.parametrize("name", VARIABLES)
def test_variables_change_no_answer(name: str, known, monkeypatch: pytest.MonkeyPatch) -> None:
    root, right = known
    monkeypatch.setenv(name, VARIABLES[name])
    assert answers(root) == right


def test_hooks_and_sparse_checkouts_leave_the_files_of_a_commit_whole(known) -> None:
    root, _ = known
    own, hook = root / ".git" / "config", root / ".git" / "hooks" / "post-checkout"
    before = own.read_bytes()
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    (root / ".git" / "info" / "sparse-checkout").write_text("/nothing\n", encoding="utf-8")
    own.write_bytes(before + b"[core]\n\tsparseCheckout = true\n")
    try:
        with worktree(root, "HEAD") as tree:
            assert (tree / "caf\u00e9.txt").read_text(encoding="utf-8") == "one\n"
    finally:
        own.write_bytes(before)
        hook.unlink()


def test_without_a_repository_there_is_no_answer(tmp_path: Path) -> None:
    assert git(tmp_path, "rev-parse", "HEAD") is None
    assert git(tmp_path / "gone", "rev-parse", "HEAD") is None


def test_line_ends_that_git_rewrites_make_no_change(known, tmp_path: Path) -> None:
    root, _ = known
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "-c", "core.autocrlf=true", root, clone)
    assert (clone / "café.txt").read_bytes() == b"one\r\n"
    assert not git_state(clone, ["café.txt"]).dirty
    with worktree(clone, "HEAD") as tree:
        assert (tree / "café.txt").read_text(encoding="utf-8") == "one\n"


def test_why_a_commit_cannot_be_checked_out(known, tmp_path: Path) -> None:
    root, _ = known
    (tmp_path / "tarball").mkdir()
    reasons = {
        (tmp_path / "tarball", "HEAD"): r"tarball is no clone, or git is not installed",
        (root, "0" * 40): r"commit 000000000000 is not in this clone; fetch it",
        (root, "HEAD"): r"git cannot check out commit HEAD; free some space and make",
    }
    (root / ".git" / "worktrees").write_text("in the way")
    try:
        for (folder, commit), why in reasons.items():
            with pytest.raises(LabError, match=why), worktree(folder, commit):
                pass
    finally:
        (root / ".git" / "worktrees").unlink()


def link(known: Path, root: Path) -> None:
    """A checkout whose .git is a file, as a submodule's is."""
    git(root.parent, "clone", "-q", "--separate-git-dir", root.parent / "elsewhere", known, root)


CLONES = {
    "a worktree without a branch": lambda root, new: git(root, "worktree", "add", "--detach", new),
    "a submodule": link,
    "a lock left behind": lambda root, new: [
        copy(root, new),
        (new / ".git" / "index.lock").touch(),
    ],
}


def copy(root: Path, new: Path) -> None:
    git(root.parent, "clone", "-q", root, new)


@pytest.mark.parametrize("name", CLONES)
def test_every_clone_answers_alike(name: str, known, tmp_path: Path) -> None:
    root, _ = known
    new = tmp_path / "new"
    CLONES[name](root, new)
    head = git(root, "rev-parse", "HEAD").decode().strip()
    assert git_state(new, ["."]) == (head, False)
    (new / "new.txt").write_text("new\n", encoding="utf-8")
    assert git_state(new, ["."]) == (head, True)


def test_where_git_cannot_tell_files_may_have_changed(known, tmp_path: Path) -> None:
    copy(known[0], tmp_path / "new")
    (tmp_path / "new" / ".git" / "index").write_bytes(b"damaged")
    assert git_state(tmp_path / "new").dirty

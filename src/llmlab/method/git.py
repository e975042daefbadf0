"""Run git independently of the user's configuration."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from llmlab.method.errors import LabError

SETTINGS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.quotePath": "false",
    "core.sparseCheckout": "false",
    "diff.orderFile": os.devnull,
    "diff.relative": "false",
    "i18n.logOutputEncoding": "UTF-8",
    "log.showSignature": "false",
    "log.follow": "false",
    "log.showRoot": "true",
    "safe.directory": "*",  # whoever runs the code of a folder may also read its history
    "status.showUntrackedFiles": "normal",
}
"""Overrides for settings in a repository's own file that would change git's output."""


def git(root: Path, *arguments: str | Path, stdin: bytes | None = None) -> bytes | None:
    """Run git in `root` and return its output; None if git fails or is not installed.

    The output depends neither on the user's settings (aliases, colours, pagers, signatures, hooks'
    variables) nor on the language of the terminal.
    """
    settings = [item for pair in SETTINGS.items() for item in ("-c", "=".join(pair))]
    command = ["git", "--no-pager", *settings, *map(str, arguments)]
    try:
        done = subprocess.run(
            command,
            cwd=root,
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            check=False,
            env=_environment(root),
        )
    except OSError:  # git or the folder does not exist
        return None
    return done.stdout if done.returncode == 0 else None


@contextmanager
def worktree(root: Path, commit: str) -> Iterator[Path]:
    """Check out a commit into a temporary folder until the block ends.

    Raises:
        LabError: there is no clone here, it does not have the commit, or git cannot write.
    """
    with TemporaryDirectory(prefix="llmlab-") as folder:
        tree = Path(folder) / "tree"
        if git(root, "worktree", "add", "--detach", tree, commit) is None:
            raise LabError(_why_not(root, commit))
        try:
            yield tree
        finally:
            git(root, "worktree", "remove", "--force", tree)


def _why_not(root: Path, commit: str) -> str:
    """Why a commit cannot be checked out, in a sentence."""
    if git(root, "rev-parse", "--git-dir") is None:
        return (
            f"commit {commit[:12]} cannot be checked out: {root} is no clone, or git is not "
            "installed; repeat the command in a clone."
        )
    if git(root, "cat-file", "-e", f"{commit}^{{tree}}") is None:
        return f"commit {commit[:12]} is not in this clone; fetch it with `git fetch --unshallow`."
    return (
        f"git cannot check out commit {commit[:12]}; free some space and make the folder .git "
        "writable, then repeat the command."
    )


def _environment(root: Path) -> Mapping[str, str]:
    """The environment without git's variables; in a hook, for example, they name a repository.

    The files are those around `root`, whatever a repository's own file says of them (core.bare,
    core.worktree).
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    neutral = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",  # `git replace` would rewrite what was registered when
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    folder = root.resolve()
    around = (place for place in (folder, *folder.parents) if (place / ".git").exists())
    if top := next(around, None):
        neutral["GIT_WORK_TREE"] = str(top)
    return kept | neutral

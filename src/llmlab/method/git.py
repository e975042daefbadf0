"""Runs git regardless of the user's configuration."""

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
    "safe.directory": "*",  # whoever runs code of a folder may read its history, too
    "status.showUntrackedFiles": "normal",
}
"""Settings that a repository may have in its own file and that the answers must not depend on."""


def git(root: Path, *arguments: str | Path, stdin: bytes | None = None) -> bytes | None:
    """What git prints when it runs in `root`; None if it fails or is not there.

    It depends neither on the user's settings (aliases, colours, pagers, signatures, hooks'
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
            env=_environment(),
        )
    except OSError:  # there is no git, or no such folder
        return None
    return done.stdout if done.returncode == 0 else None


@contextmanager
def worktree(root: Path, commit: str) -> Iterator[Path]:
    """The files of a commit in a folder of their own, until the block ends.

    Raises:
        LabError: this clone does not have the commit.
    """
    with TemporaryDirectory(prefix="llmlab-") as folder:
        tree = Path(folder) / "tree"
        if git(root, "worktree", "add", "--detach", tree, commit) is None:
            raise LabError(
                f"commit {commit[:12]} is not in this clone; fetch it with `git fetch --unshallow`."
            )
        try:
            yield tree
        finally:
            git(root, "worktree", "remove", "--force", tree)


def _environment() -> Mapping[str, str]:
    """The environment without git's variables; a hook, for one, names another repository."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    neutral = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    return kept | neutral

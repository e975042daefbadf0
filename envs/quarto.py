"""Tries once to install Quarto (`make quarto`); says in one line what came of it, and never fails.

The package `quarto-cli` downloads the real program from a release page while it installs, so it is
no part of the lock: where that page is out of reach the preview renderer makes the book.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

SECONDS = 180
PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def install() -> str:
    """Installs Quarto into this environment; an empty text, or why it could not be done."""
    extras = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--retries=1", *extras["quarto"]]
    try:
        done = subprocess.run(
            pip, capture_output=True, encoding="utf-8", errors="replace", timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {SECONDS} s"
    if done.returncode == 0:
        return ""
    said = re.search(r"Error downloading Quarto: (.+)|ERROR: (.+)", done.stdout + done.stderr)
    return next(filter(None, said.groups())) if said else "pip failed"


if __name__ == "__main__":
    why = "" if shutil.which("quarto") else install()
    print(
        f"Quarto could not be installed ({why}): the preview renderer is used."
        if why
        else "Quarto is here and renders the book."
    )

"""How long the book takes when no experiment is stale; run `make` once before.

A copy of the checkout is measured: all chapters executed and rendered (aim: 90 s on two cores), one
edited chapter (10 s with the preview renderer), and a `make` that has nothing to do (10 s).
"""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from report import save

ROOT = Path(__file__).parent.parent
EDITED = Path("chapters/results/learning_rate.py")


def copy_of_the_checkout(folder: Path) -> Path:
    """Everything but the virtual environment, which is shared."""
    root = folder / "book"
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(".venv", "__pycache__"))
    (root / ".venv").symlink_to(ROOT / ".venv")
    return root


def make(root: Path) -> float:
    """Seconds of `make`."""
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    start = time.perf_counter()
    subprocess.run(["make"], cwd=root, env=environment, check=True, capture_output=True)
    return round(time.perf_counter() - start, 1)


def measure(root: Path) -> dict[str, dict[str, float]]:
    for rendered in (root / "build" / "chapters", root / "site"):
        shutil.rmtree(rendered)
    whole = make(root)
    chapter = root / EDITED
    chapter.write_text(chapter.read_text() + "\n# %% [markdown]\n# One sentence more.\n")
    return {
        "whole book": {"seconds": whole, "aim": 90},
        "one chapter": {"seconds": make(root), "aim": 10},
        "nothing to do": {"seconds": make(root), "aim": 10},
    }


if __name__ == "__main__":
    if not (ROOT / "site" / "dev").exists():
        raise SystemExit("There is no book yet: run `make` first.")
    with tempfile.TemporaryDirectory() as folder:
        save("book", measure(copy_of_the_checkout(Path(folder))))

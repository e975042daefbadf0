"""Time the book build when no experiment is stale; run `make` once before.

Measures a copy of the checkout: executing and rendering all chapters (goal: 90 s on two cores), one
edited chapter (10 s with the preview renderer), and a `make` with nothing to do (10 s).
"""

import shutil
import tempfile
from pathlib import Path

from report import save, timed

ROOT = Path(__file__).parent.parent
EDITED = Path("chapters/results/learning_rate.py")


def copy_of_the_checkout(folder: Path) -> Path:
    """Everything but the virtual environment, which is shared."""
    root = folder / "book"
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(".venv", "__pycache__"))
    (root / ".venv").symlink_to(ROOT / ".venv")
    return root


def measure(root: Path) -> dict[str, dict[str, float]]:
    for rendered in (root / "build" / "chapters", root / "site"):
        shutil.rmtree(rendered)
    whole = timed(["make"], root)
    chapter = root / EDITED
    text = chapter.read_text(encoding="utf-8")
    chapter.write_text(f"{text}\n# %% [markdown]\n# One sentence more.\n", encoding="utf-8")
    return {
        "whole book": {**whole, "aim": 90},
        "one chapter": {**timed(["make"], root), "aim": 10},
        "nothing to do": {**timed(["make"], root), "aim": 10},
    }


if __name__ == "__main__":
    if not (ROOT / "site" / "dev").exists():
        raise SystemExit("There is no book yet: run `make` first.")
    with tempfile.TemporaryDirectory() as folder:
        save("book", measure(copy_of_the_checkout(Path(folder))))

"""Recompute `data/coefficients.json`: `python -m llmlab.cluster.scoring.refit`.

With `--check`, compares with the file digit for digit instead, and fails if they differ.
"""

import sys
from collections import Counter

from llmlab.cluster.facts import SINGLE_NODE_RUNS, fact_file
from llmlab.cluster.physics.coefficients import FILE, to_json
from llmlab.cluster.scoring.calibration import calibrate
from llmlab.cluster.scoring.held_out import comparable_runs
from llmlab.cluster.scoring.rows import Published
from llmlab.cluster.scoring.tables import read_runs
from llmlab.method.files import packaged

SINGLE_NODE_EVERY = 6
"""Use every sixth of the many single-node runs."""


def calibration_rows() -> list[Published]:
    """The published runs to which the packaged coefficients are fitted."""
    single, _ = read_runs(fact_file(SINGLE_NODE_RUNS))
    return [*comparable_runs(), *single[::SINGLE_NODE_EVERY]]


def refitted() -> str:
    """The text of the coefficients' file, fitted from the defaults."""
    rows = calibration_rows()
    return to_json(calibrate(rows), dict(Counter(row.source for row in rows)))


if __name__ == "__main__":
    path, text = packaged(FILE), refitted()
    if sys.argv[1:] != ["--check"]:
        path.write_text(text, encoding="utf-8")
    elif text != path.read_text(encoding="utf-8"):
        sys.exit(f"{path.name} differs from a fit here; find out what changed, then refit.")

"""Fit the simulator's coefficients to published runs.

Least squares on log(predicted / observed) with a robust loss, and a Gaussian prior on the logarithm
of each coefficient, which keeps it near its start unless the runs disagree. Repeated runs of one
model in a source weigh less each, so that a sweep of one model does not dominate.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy

from llmlab.cluster.physics.coefficients import NAMES, SHARES, Coefficients
from llmlab.cluster.physics.step import step_time
from llmlab.cluster.scoring.rows import Published

PRIOR = 0.25
"""Standard deviation of the prior on the logarithm of a coefficient."""
MOST = 0.97
"""Upper bound on the share of a peak that a kernel or a link can achieve."""
SPREAD = 0.08
"""Log residual above which a row counts as an outlier."""


def calibrate(
    runs: Sequence[Published], start: Coefficients | None = None, rounds: int = 12
) -> Coefficients:
    """The coefficients that fit `runs` best, after at most `rounds` rounds of the search."""
    first = start or Coefficients()
    origin = np.log([getattr(first, name) for name in NAMES])
    weights = row_weights(runs)
    observed = np.log([run.observed for run in runs])

    def residuals(shift: np.ndarray) -> np.ndarray:
        c = _shifted(first, shift)
        predicted = np.log([step_time(run.plan, c).total for run in runs])
        return np.concatenate([weights * (predicted - observed) / SPREAD, shift / PRIOR])

    highest = [
        math.log(MOST) - at if name.startswith(SHARES) else 4.0
        for name, at in zip(NAMES, origin, strict=True)
    ]
    fit = scipy.optimize.least_squares(
        residuals,
        np.zeros(len(origin)),
        bounds=(-4.0, highest),
        loss="soft_l1",
        x_scale=PRIOR,
        ftol=1e-4,
        max_nfev=rounds,
    )
    return _shifted(first, fit.x)


def row_weights(runs: Sequence[Published]) -> np.ndarray:
    """Square roots of weights: the rows of one model of one source share a fixed sum."""
    sizes = Counter((run.source, run.model) for run in runs)
    shares = [1 / math.sqrt(sizes[run.source, run.model]) for run in runs]
    return np.sqrt(np.array(shares) * len(shares) / sum(shares))


def _shifted(first: Coefficients, shift: np.ndarray) -> Coefficients:
    moved = {
        name: getattr(first, name) * math.exp(by) for name, by in zip(NAMES, shift, strict=True)
    }
    return replace(first, **moved)

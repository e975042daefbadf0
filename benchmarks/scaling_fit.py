"""How long a scaling law takes: 150 starts and 200 resamples, beside scipy's L-BFGS-B in a loop.

Both see the public points of `llmlab.market.fits.public`, the same starts and the same objective.
"""

import time

import numpy as np
from report import save
from scipy.optimize import minimize

from llmlab.market.fits.fitting import bootstrap, optimum, starts
from llmlab.market.fits.law import Objective
from llmlab.market.fits.public import public_runs

STARTS, RESAMPLES = 150, 200


def by_scipy(objective: Objective, start_SP: np.ndarray) -> float:
    """The lowest value that scipy finds, one start after another."""

    def of_one(theta_P: np.ndarray) -> tuple[float, np.ndarray]:
        value_1, gradient_1P = objective(theta_P[None])
        return value_1[0], gradient_1P[0]

    options = {"ftol": 1e-12, "maxiter": 1000}
    found = [minimize(of_one, s, jac=True, method="L-BFGS-B", options=options) for s in start_SP]
    return min(one.fun for one in found)


if __name__ == "__main__":
    runs = public_runs()
    optimum(runs, 8)  # what is loaded at the first call
    began = time.perf_counter()
    best = optimum(runs, STARTS)
    after_starts = time.perf_counter()
    bootstrap(runs, best.theta_P, RESAMPLES)
    after_resamples = time.perf_counter()
    peer = by_scipy(Objective.of(runs), starts(runs, STARTS))
    after_peer = time.perf_counter()
    rows = {
        f"ours, {STARTS} starts": {
            "seconds": round(after_starts - began, 2),
            "huber_sum": best.value,
            "starts_at_optimum": best.reached,
        },
        f"ours, {RESAMPLES} resamples": {"seconds": round(after_resamples - after_starts, 2)},
        f"scipy, {STARTS} starts": {
            "seconds": round(after_peer - after_resamples, 2),
            "huber_sum": peer,
        },
    }
    save("scaling_fit", rows)

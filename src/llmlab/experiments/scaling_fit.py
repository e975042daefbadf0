"""Does the fitter find a law that is there, and are its intervals as wide as they should be?

Tables of runs are made from a known law and fitted. Each seed makes other tables.
"""

from llmlab.method.declare.experiment import (
    Axis,
    Budget,
    Experiment,
    Metric,
    Outcome,
    Subject,
    Trial,
)

TRUTH = {"E": 1.8, "A": 480.0, "alpha": 0.35, "B": 2000.0, "beta": 0.37}
"""Near the refit of Hoffmann's runs by Besiroglu et al. 2024 (2404.10102)."""
N_STARTS = 4
"""Nearly all of them end at the optimum of such tables."""
GRIDS = {"6 x 6 runs": 6, "10 x 10 runs": 10}
"""Values on each axis, parameters and tokens, evenly spaced on a log scale."""


def run(trial: Trial) -> Outcome:
    import numpy as np

    from llmlab.market.fits.law import Runs

    settings, n = trial.settings, GRIDS[trial.condition["runs"]]
    sizes = np.geomspace(1e7, 1e10, n), np.geomspace(1e8, 1e11, n)
    params, tokens = (axis.ravel() for axis in np.meshgrid(*sizes))
    loss = TRUTH["E"] + TRUTH["A"] / params ** TRUTH["alpha"] + TRUTH["B"] / tokens ** TRUTH["beta"]
    rng = np.random.default_rng(trial.seed)
    noise = rng.normal(0, settings["noise"], (settings["tables"], n * n))
    tables = [Runs({"params": params, "tokens": tokens}, loss * np.exp(one)) for one in noise]
    return Outcome(metrics=coverage(tables, settings["resamples"], trial.seed))


def coverage(tables, resamples: int, seed: int) -> dict[str, float]:
    """How often intervals cover the truth, how wide they are, and how far the values are off."""
    import numpy as np

    from llmlab.market.fits.fitting import intervals, optimum

    optima = [optimum(runs, N_STARTS) for runs in tables]
    found = [
        intervals(runs, best, resamples, seed * len(tables) + number)
        for number, (runs, best) in enumerate(zip(tables, optima, strict=True))
    ]
    held = {
        name: np.mean([one[name].low <= true <= one[name].high for one in found])
        for name, true in TRUTH.items()
    }
    exponents = [one["alpha"] for one in found]
    return {
        **{f"held_{name}": float(share) for name, share in held.items()},
        "held": float(np.mean([*held.values()])),
        "alpha_width": float(np.mean([one.high - one.low for one in exponents])),
        "alpha_error": float(np.mean([abs(one.value - TRUTH["alpha"]) for one in exponents])),
        "starts_at_optimum": float(np.mean([best.reached for best in optima])),
    }


AXES = {"runs": tuple(GRIDS)}

EXPERIMENT = Experiment(
    name="scaling_fit",
    title="Can the fit be trusted?",
    question="Q-FIT",
    summary="Fits tables made from a known law and counts how often intervals cover the truth.",
    subject=Subject("the book's fitter of scaling laws", "tables made from a known law"),
    axes=(Axis("runs", "How many runs a table has."),),
    metrics=(
        *(
            Metric(
                f"held_{name}",
                f"Share of tables whose 95 % interval of {name} covers the truth.",
                "share",
                "higher",
                tolerance=0.5,
            )
            for name in TRUTH
        ),
        Metric("held", "The same, over all five parameters.", "share", "higher", tolerance=0.3),
        Metric("alpha_width", "Width of the interval of alpha.", "1", "lower", tolerance=0.3),
        Metric("alpha_error", "Absolute error of alpha.", "1", "lower", tolerance=0.3),
        Metric(
            "starts_at_optimum",
            "Share of single starts that reached the optimum.",
            "share",
            "higher",
            tolerance=0.5,
        ),
    ),
    budgets={
        "smoke": Budget(AXES, 1, {"tables": 5, "resamples": 40, "noise": 0.01}),
        "laptop": Budget(AXES, 60, {"tables": 100, "resamples": 200, "noise": 0.01}),
        "gpu": Budget(AXES, 40, {"tables": 200, "resamples": 200, "noise": 0.01}),
    },
    run=run,
)

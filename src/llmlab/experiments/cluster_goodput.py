"""What do interruptions cost a run of Llama 3's size, and which checkpoint interval is best?

The interventions are how interruptions arrive and what a checkpoint costs. A seed draws the months.
"""

import numpy as np

from llmlab.cluster.wear.causes import mean_time_between
from llmlab.cluster.wear.checkpoints import Wear, daly, young
from llmlab.cluster.wear.runs import best_interval, draw_gaps, run_through
from llmlab.method.declare.experiment import (
    Axis,
    Budget,
    Experiment,
    Metric,
    Outcome,
    Subject,
    Trial,
)

GPUS, DAYS = 16_384, 54
SHAPES = {"independent": 1.0, "in bursts": 0.7}
"""How interruptions arrive: the shape of the Weibull distribution of the gaps between them."""
GRID = 2.0 ** np.arange(-4, 4.01, 0.125)
"""Intervals as multiples of Young's, past the optimum on both sides."""


def run(trial: Trial) -> Outcome:
    save = float(trial.condition["save_s"])
    wear = Wear(mean_time_between(GPUS), save, float(trial.settings["restart_s"]))
    rng = np.random.default_rng(trial.seed)
    seconds = DAYS * 86400.0 * trial.settings["repeats"]
    gaps = draw_gaps(wear, seconds, rng, SHAPES[trial.condition["arrivals"]])
    intervals = young(wear) * GRID
    best = best_interval(gaps, wear, intervals)
    by_young, by_daly, at_best = (
        run_through(gaps, wear, interval) for interval in (young(wear), daly(wear), best)
    )
    return Outcome(
        metrics={
            "interruptions": by_young.interruptions / trial.settings["repeats"],
            "goodput": by_young.useful,
            "goodput_daly": by_daly.useful,
            "goodput_best": at_best.useful,
            "regret": at_best.useful - by_young.useful,
            "best_over_young": best / young(wear),
            "lost": by_young.lost,
        },
        curves={
            "kept": [
                (round(interval), run_through(gaps, wear, interval).useful)
                for interval in intervals[::4]
            ]
        },
    )


AXES = {"arrivals": tuple(SHAPES), "save_s": (3, 30, 300)}

EXPERIMENT = Experiment(
    name="cluster_goodput",
    title="Goodput under interruptions",
    question="Q-GOODPUT",
    summary="Simulates months of training on 16,384 GPUs with Llama 3's rate of interruptions.",
    subject=Subject("a simulated run on 16,384 GPUs", "Llama 3's published rate of interruptions"),
    axes=(
        Axis("arrivals", "How interruptions arrive: independently, or in bursts (Weibull, 0.7)."),
        Axis("save_s", "Seconds that training pauses for a checkpoint.", "s"),
    ),
    metrics=(
        Metric("interruptions", "Interruptions in 54 days.", "1", tolerance=1),
        Metric("goodput", "Share of time kept at Young's interval.", "share", "higher"),
        Metric("goodput_daly", "The same at Daly's interval.", "share", "higher"),
        Metric("goodput_best", "The same at this run's own best interval.", "share", "higher"),
        Metric("regret", "What Young's interval loses to the best.", "share", "lower"),
        Metric("best_over_young", "The best interval over Young's.", "1"),
        Metric("lost", "Share of time whose work was lost.", "share", "lower"),
    ),
    curves=(Metric("kept", "Share of time kept, by seconds between checkpoints.", "share"),),
    budgets={
        "smoke": Budget(AXES, 2, {"restart_s": 600, "repeats": 1}),
        "laptop": Budget(AXES, 20, {"restart_s": 600, "repeats": 20}),
        "gpu": Budget(AXES, 20, {"restart_s": 600, "repeats": 20}),
    },
    run=run,
)

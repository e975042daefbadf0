"""What every fine-tuning experiment measures: the columns and how a run fills them.

Imports no torch, so that the catalogue of experiments loads quickly.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from llmlab.method.declare.experiment import Metric, Outcome, Trial
from llmlab.method.declare.sweep import Group, Sweep

if TYPE_CHECKING:
    from llmlab.finetune.study.tuning import Tuned, Tuning

SKILLS = ("math", "reasoning", "code", "knowledge")

METRICS = (
    Metric(
        "accuracy",
        "Exact answers on the test items of the new task.",
        "share",
        "higher",
        tolerance=0.05,
    ),
    Metric(
        "validation_loss",
        "Loss on the validation items of the new task; chooses hyperparameters.",
        "nats/token",
        "lower",
        tolerance=0.1,
    ),
    Metric(
        "forgetting",
        "Accuracy on the base model's skills before minus after, mean over the skills.",
        "share",
        "lower",
        tolerance=0.05,
    ),
    *(
        Metric(
            f"{name}_after",
            f"Exact answers on the base model's {name} items after fine-tuning.",
            "share",
            "higher",
            tolerance=0.1,
        )
        for name in SKILLS
    ),
)

CURVES = (
    Metric("loss", "Loss of one batch.", "nats/token", "lower"),
    Metric("gradient_norm", "Norm of the gradient before clipping.", "nats/token"),
)


def outcome(tuned: "Tuned") -> Outcome:
    """The row and curves of one run; a diverged run has no metrics."""
    history = tuned.history
    metrics = {
        "accuracy": tuned.test.accuracy,
        "validation_loss": tuned.validation.loss,
        "forgetting": tuned.forgetting,
        **{f"{name}_after": accuracy for name, accuracy in tuned.suites.items()},
    }
    diverged = history.diverged_at is not None
    return Outcome(
        metrics=dict.fromkeys(metrics, math.nan) if diverged else metrics,
        curves={curve.name: history.curve(curve.name) for curve in CURVES},
        status="diverged" if diverged else "completed",
        tokens=history.tokens,
    )


def together(sweep: Sweep, trials: Sequence[Trial]) -> Iterator[Group]:
    """Train the adapters of many trials at once on one frozen base model."""
    from llmlab.finetune.study.sweeps import run_together

    return run_together(sweep, trials)


def tuning_sweep(describe: "Callable[[Trial], Tuning]", **declaration: object) -> Sweep:
    """An experiment in which each trial is one fine-tuning run, given by `describe`.

    Args:
        declaration: the fields of an `Experiment` other than its metrics and curves.
    """

    def run(trial: Trial) -> Outcome:
        from llmlab.finetune.study.tuning import fine_tune

        return outcome(fine_tune(describe(trial)))

    return Sweep(
        metrics=METRICS,
        curves=CURVES,
        selection_metric="validation_loss",
        run=run,
        describe=describe,
        together=together,
        **declaration,
    )

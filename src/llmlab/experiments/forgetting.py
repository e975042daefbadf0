"""What does fine-tuning forget, by which method, and what does replaying old items save?

The new task is subtraction: close to the base model's addition, far from its other skills. Each
method is tried at each learning rate with each share of old items in its training data. Runs are
graded during training too, so that methods can be compared where they have learned equally much.
"""

from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from llmlab.finetune.study.measures import (
    CURVES,
    METRICS,
    SKILLS,
    outcome,
)
from llmlab.method.declare.experiment import (
    Axis,
    Budget,
    Experiment,
    Metric,
    Outcome,
    Subject,
    Trial,
)

if TYPE_CHECKING:
    from llmlab.finetune.model.methods import Method
    from llmlab.finetune.study.tracking import Check
    from llmlab.finetune.study.tuning import Tuned, Tuning

TARGET = 0.4
"""Accuracy on the new task at which methods are compared."""
LAST = 5
"""Points of the training loss, ten steps apart, whose mean is its value at the end."""
FAR = tuple(name for name in SKILLS if name != "math")


def run(trial: Trial) -> Outcome:
    from llmlab.finetune.study.tracking import tracked_run
    from llmlab.finetune.study.tuning import graded

    tuning = describe(trial)
    watched = tracked_run(tuning, trial.settings["look_every"], trial.settings["look_items"])
    tuned = graded(watched.model, watched.history, tuning)
    found = outcome(tuned)
    if found.status == "diverged":
        return EXPERIMENT.diverged(curves=found.curves, tokens=found.tokens)
    return replace(
        found,
        metrics={
            **found.metrics,
            "training_loss": fmean(point.loss for point in tuned.history.points[-LAST:]),
            **forgotten(tuning, tuned),
            **on_the_way(watched.checks),
        },
        curves={**found.curves, **looks(watched.checks)},
    )


def describe(trial: Trial) -> "Tuning":
    from llmlab.finetune.study.tuning import tuning_of
    from llmlab.finetune.tasks.replay import with_replay
    from llmlab.finetune.tasks.task import subtraction_task

    new = subtraction_task(trial.settings["train_items"])
    mixed = with_replay(new.train, trial.condition["replay"], trial.seed)
    return tuning_of(trial, replace(new, train=mixed), method(trial.condition["method"]))


def method(name: str) -> "Method":
    """Full fine-tuning, or LoRA of the rank in the name."""
    from llmlab.finetune.model.lora import LoraSpec
    from llmlab.finetune.model.methods import Full

    return Full() if name == "full" else LoraSpec(rank=int(name.removeprefix("lora-")), alpha=16)


def forgotten(tuning: "Tuning", tuned: "Tuned") -> dict[str, float]:
    """How much of each skill was lost, and how much more of the near one than of the far ones."""
    from llmlab.finetune.study.tuning import accuracies_of_base

    before = accuracies_of_base(tuning.base, tuning.suite_items)
    lost = {name: before[name] - tuned.suites[name] for name in SKILLS}
    return {
        **{f"{name}_forgetting": lost[name] for name in SKILLS},
        "near_excess": lost["math"] - sum(lost[name] for name in FAR) / len(FAR),
    }


def looks(checks: "tuple[Check, ...]") -> dict[str, list[tuple[int, float]]]:
    """The curves of the checks during training."""
    return {name: [(check.step, getattr(check, name)) for check in checks] for name in LOOKS}


def on_the_way(checks: "tuple[Check, ...]") -> dict[str, float]:
    """What the checks during training show."""
    from llmlab.finetune.study.tracking import at_accuracy, loss_correlation

    base = checks[0]
    return {
        "plasticity": checks[-1].new_accuracy - base.new_accuracy,
        "forgetting_at_target": at_accuracy(
            checks, TARGET, lambda check: base.old_accuracy - check.old_accuracy
        ),
        "old_loss_at_target": at_accuracy(checks, TARGET, lambda check: check.old_loss),
        "steps_to_target": at_accuracy(checks, TARGET, lambda check: check.step),
        "loss_correlation": loss_correlation(checks),
    }


LOOKS = ("new_accuracy", "new_loss", "old_accuracy", "old_loss")
WHEN_REACHED = (
    f"when {TARGET:.0%} of the new task's validation items are first right; none if a run never "
    "gets there"
)

EXPERIMENT = Experiment(
    name="forgetting",
    title="Forgetting",
    question="Q-FORGET",
    summary=(
        "Fine-tunes on subtraction, fully and with LoRA, at several rates and shares of "
        "replay, and grades what is left of the old skills."
    ),
    subject=Subject("`micro`", "subtraction, beside four old skills with exact answers"),
    axes=(
        Axis("method", "What is trained: all weights, or an adapter of the rank in its name."),
        Axis("learning_rate", "Peak of the schedule."),
        Axis("replay", "Share of old items among the training items."),
    ),
    metrics=(
        *METRICS,
        *(
            Metric(
                f"{name}_forgetting",
                f"Exact answers on the base model's {name} items before minus after.",
                "share",
                "lower",
                tolerance=0.1,
            )
            for name in SKILLS
        ),
        Metric(
            "training_loss",
            f"Loss of a batch, mean of the last {LAST} points of the curve, with replayed items.",
            "nats/token",
            "lower",
            tolerance=0.2,
        ),
        Metric(
            "near_excess",
            "Forgetting of addition, the near skill, minus the mean of the three far ones.",
            "share",
            tolerance=0.1,
        ),
        Metric(
            "plasticity",
            "Accuracy gained on the new task's validation items.",
            "share",
            "higher",
            tolerance=0.05,
        ),
        Metric(
            "forgetting_at_target",
            f"Forgetting {WHEN_REACHED}.",
            "share",
            "lower",
            tolerance=0.1,
        ),
        Metric(
            "old_loss_at_target",
            f"Loss on the old skills, mean over them, {WHEN_REACHED}.",
            "nats/token",
            "lower",
            tolerance=0.5,
        ),
        Metric(
            "steps_to_target",
            f"Optimizer steps taken {WHEN_REACHED}.",
            "steps",
            "lower",
            tolerance=20,
        ),
        Metric(
            "loss_correlation",
            "Correlation of the old skills' loss with the new task's in one run; -1 is a line.",
            "1",
            tolerance=0.2,
        ),
    ),
    curves=(
        *CURVES,
        Metric("new_accuracy", "Accuracy on the new task's validation items.", "share", "higher"),
        Metric("new_loss", "Loss on the new task's validation items.", "nats/token", "lower"),
        Metric("old_accuracy", "Accuracy on the old skills, mean over them.", "share", "higher"),
        Metric("old_loss", "Loss on the old skills, mean over them.", "nats/token", "lower"),
    ),
    selection_metric="validation_loss",
    needs=("base_model",),
    run=run,
    budgets={
        "smoke": Budget(
            conditions={
                "method": ("full", "lora-8"),
                "learning_rate": (1.5e-3, 5e-3),
                "replay": (0.0, 0.2),
            },
            seeds=2,
            settings={
                "train_items": 500,
                "steps": 20,
                "batch_size": 16,
                "look_every": 10,
                "look_items": 20,
                "suite_items": 50,
                "precision": "float32",
            },
        ),
        "laptop": Budget(
            conditions={
                "method": ("full", "lora-8", "lora-32"),
                "learning_rate": (5e-4, 1.5e-3, 5e-3, 1e-2),
                "replay": (0.0, 0.05, 0.2),
            },
            seeds=10,
            settings={
                "train_items": 3000,
                "steps": 280,
                "batch_size": 16,
                "look_every": 35,
                "look_items": 50,
                "suite_items": 1000,
                "precision": "float32",
            },
        ),
        "gpu": Budget(
            conditions={
                "method": ("full", "lora-8", "lora-32"),
                "learning_rate": (5e-4, 1.5e-3, 5e-3, 1e-2),
                "replay": (0.0, 0.05, 0.2),
            },
            seeds=12,
            settings={
                "train_items": 3000,
                "steps": 600,
                "batch_size": 32,
                "look_every": 50,
                "look_items": 100,
                "suite_items": 1000,
                "precision": "bfloat16",
            },
        ),
    },
)

"""Can the shape of a loss curve alone tell what went wrong?

Runs are spoilt on purpose, each in one way, and the rules of `llmlab.finetune.curves.causes` name
the cause from the curves alone. The rules were made on pilot runs at the strong dose, with other
seeds. They were not made on the mild dose.
"""

import random
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from typing import TYPE_CHECKING

from llmlab.finetune.curves.causes import CAUSES, Signs, name_cause, signs
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
    from llmlab.finetune.curves.curve import Curve
    from llmlab.finetune.study.tuning import Tuning
    from llmlab.finetune.tasks.skills import Item


@dataclass(frozen=True)
class Recipe:
    """How a run is made; the defaults make the healthy one.

    Attributes:
        learning_rate: peak of the schedule.
        train_items: number of distinct training items; None for all.
        wrong_share: share of the training items whose answer is a random number.
    """

    learning_rate: float = 3e-3
    warmup_share: float = 0.1
    train_items: int | None = None
    wrong_share: float = 0.0


DOSES = ("strong", "mild")
RECIPES = {
    ("healthy", "strong"): Recipe(),
    ("healthy", "mild"): Recipe(learning_rate=1.5e-3),
    ("rate too high", "strong"): Recipe(learning_rate=3e-2),
    ("rate too high", "mild"): Recipe(learning_rate=1.8e-2),
    ("no warm-up", "strong"): Recipe(learning_rate=2e-2, warmup_share=0.0),
    ("no warm-up", "mild"): Recipe(learning_rate=1.2e-2, warmup_share=0.0),
    ("tiny data", "strong"): Recipe(train_items=64),
    ("tiny data", "mild"): Recipe(train_items=192),
    ("label noise", "strong"): Recipe(wrong_share=0.3),
    ("label noise", "mild"): Recipe(wrong_share=0.15),
    ("rate too low", "strong"): Recipe(learning_rate=3e-5),
    ("rate too low", "mild"): Recipe(learning_rate=1e-4),
}


def run(trial: Trial) -> Outcome:
    from llmlab.finetune.study.loss_curves import run_with_curves
    from llmlab.finetune.tasks.suites import grade
    from llmlab.gpt.training import best_device

    tuning = describe(trial)
    model, watched = run_with_curves(tuning, trial.settings["validate_every"])
    found = signs(watched.training, watched.validation)
    named = name_cause(found).cause
    # a run that diverged has curves to read, too, so its row is as complete as any other
    return Outcome(
        metrics={
            "recognised": float(named == trial.condition["cause"]),
            **{named_as(cause): float(named == cause) for cause in CAUSES},
            **dict(zip(SIGN_NAMES, map(float, astuple(found)), strict=True)),
            "accuracy": grade(model, tuning.task.test, best_device()).accuracy,
        },
        curves={
            "loss": _points(watched.training),
            "validation_loss": _points(watched.validation),
            "gradient_norm": _points(watched.gradient_norm),
        },
        tokens=watched.tokens,
    )


def describe(trial: Trial) -> "Tuning":
    from llmlab.finetune.model.methods import Full
    from llmlab.finetune.study.tuning import tuning_of
    from llmlab.finetune.tasks.skills import subtraction
    from llmlab.finetune.tasks.task import Task

    skill, held_out = subtraction(), trial.settings["validation_items"]
    recipe = RECIPES[trial.condition["cause"], trial.condition["dose"]]
    task = Task(
        train=spoilt(skill.train[: trial.settings["train_items"]], recipe, trial.seed),
        validation=skill.test[:held_out],
        test=skill.test[held_out : 3 * held_out],
    )
    schedule = {"learning_rate": recipe.learning_rate, "warmup_share": recipe.warmup_share}
    return tuning_of(trial, task, Full(), suite_items=0, **schedule)


def spoilt(items: "Sequence[Item]", recipe: Recipe, seed: int) -> "tuple[Item, ...]":
    """The items that a recipe trains on, drawn by `seed`, a share of them with a random answer."""
    rng = random.Random(seed)
    kept = rng.sample(items, recipe.train_items or len(items))
    n_wrong = round(recipe.wrong_share * len(kept))
    wrong = [replace(item, answer=str(rng.randrange(100))) for item in kept[:n_wrong]]
    return (*wrong, *kept[n_wrong:])


def named_as(cause: str) -> str:
    """The column that says whether the rules named this cause."""
    return "named_" + cause.replace(" ", "_").replace("-", "_")


def _points(curve: "Curve") -> list[tuple[int, float]]:
    return list(zip(curve.steps, curve.values, strict=True))


SIGN_NAMES = tuple(sign.name for sign in fields(Signs))

EXPERIMENT = Experiment(
    name="loss_curves",
    title="The shapes of loss curves",
    question="Q-CURVES",
    summary="Spoils fine-tuning runs in five ways and has rules name the cause from the curves.",
    subject=Subject("`micro`", "subtraction"),
    axes=(
        Axis("cause", "What is wrong with the run."),
        Axis(
            "dose", "How wrong: strong, as in the pilot runs that the rules were made on, or mild."
        ),
    ),
    metrics=(
        Metric("recognised", "Whether the rules name the cause.", "share", "higher", tolerance=1),
        *(
            Metric(named_as(cause), f"Whether the rules say: {cause}.", "share", tolerance=1)
            for cause in CAUSES
        ),
        Metric("diverged", "Whether the loss broke or ended above its start.", "1", tolerance=1),
        Metric(
            "rise",
            "Highest validation loss in the first tenth of the run over the first one, minus 1.",
            "1",
            tolerance=0.5,
        ),
        Metric(
            "rebound",
            "Validation loss at the end over its minimum, minus 1; 0 if training fell no further.",
            "1",
            tolerance=0.5,
        ),
        Metric(
            "excess",
            "Training loss over validation loss in the last tenth of the run, minus 1.",
            "1",
            tolerance=0.3,
        ),
        Metric(
            "halfway",
            "Share of the run at which the validation loss had fallen halfway.",
            "1",
            tolerance=0.1,
        ),
        Metric(
            "plateau",
            "Share of the run after which the validation loss fell by at most a tenth; 1 if none.",
            "1",
            tolerance=1,
        ),
        Metric("level", "Validation loss at the end over the first one.", "1", tolerance=0.2),
        Metric(
            "accuracy",
            "Exact answers on unseen items at the end.",
            "share",
            "higher",
            tolerance=0.2,
        ),
    ),
    curves=(
        Metric("loss", "Loss of one batch.", "nats/token", "lower"),
        Metric("validation_loss", "Loss on held-out items.", "nats/token", "lower"),
        Metric("gradient_norm", "Norm of the gradient before clipping.", "nats/token"),
    ),
    budgets={
        "smoke": Budget(
            conditions={"cause": CAUSES, "dose": DOSES},
            seeds=1,
            settings={
                "train_items": 500,
                "steps": 40,
                "batch_size": 16,
                "validation_items": 50,
                "validate_every": 5,
                "precision": "float32",
            },
        ),
        "laptop": Budget(
            conditions={"cause": CAUSES, "dose": DOSES},
            seeds=24,
            settings={
                "train_items": 3000,
                "steps": 160,
                "batch_size": 32,
                "validation_items": 150,
                "validate_every": 5,
                "precision": "float32",
            },
        ),
        "gpu": Budget(
            conditions={"cause": CAUSES, "dose": DOSES},
            seeds=24,
            settings={
                "train_items": 4000,
                "steps": 100,
                "batch_size": 64,
                "validation_items": 300,
                "validate_every": 5,
                "precision": "bfloat16",
            },
        ),
    },
    needs=("base_model",),
    run=run,
)

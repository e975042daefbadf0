"""LoRA beside full fine-tuning: which learning rate suits each, and what does it reach there?

The intervention is which weights are trained. Every method gets the same base model, the same items
in the same order, the same steps, and the same learning rates to choose from.
"""

from typing import TYPE_CHECKING

from llmlab.finetune.study.measures import tuning_sweep
from llmlab.method.declare.experiment import Axis, Budget, Subject, Trial

if TYPE_CHECKING:
    from llmlab.finetune.model.methods import Method
    from llmlab.finetune.study.tuning import Tuning

RANKS = {"rank 2": 2, "rank 8": 8, "rank 32": 32}


def describe(trial: Trial) -> "Tuning":
    from llmlab.finetune.study.tuning import tuning_of
    from llmlab.finetune.tasks.task import subtraction_task

    task = subtraction_task(trial.settings["train_items"])
    return tuning_of(trial, task, method(trial.condition["trained"]))


def method(trained: str) -> "Method":
    """The method that a level of the axis `trained` names."""
    from llmlab.finetune.model.lora import LoraSpec
    from llmlab.finetune.model.methods import Full

    return Full() if trained == "full" else LoraSpec(rank=RANKS[trained], alpha=16)


RATES = (6e-4, 1.5e-3, 3.5e-3, 8e-3, 2e-2, 5e-2)

EXPERIMENT = tuning_sweep(
    describe,
    name="full_finetuning",
    title="LoRA beside full fine-tuning",
    question="Q-FULL",
    summary="Learns subtraction with all weights and with three ranks of LoRA, at six rates each.",
    subject=Subject("`micro`", "subtraction"),
    axes=(
        Axis("trained", "All weights of the model, or an adapter of this rank on every layer."),
        Axis("learning_rate", "Peak of the schedule."),
    ),
    budgets={
        "smoke": Budget(
            conditions={"trained": ("full", "rank 8"), "learning_rate": (1.5e-3, 8e-3)},
            seeds=2,
            settings={
                "train_items": 500,
                "steps": 30,
                "batch_size": 16,
                "suite_items": 50,
                "precision": "float32",
            },
        ),
        "laptop": Budget(
            conditions={"trained": ("full", *RANKS), "learning_rate": RATES},
            seeds=10,
            settings={
                "train_items": 3000,
                "steps": 200,
                "batch_size": 32,
                "suite_items": 250,
                "precision": "float32",
            },
        ),
        "gpu": Budget(
            conditions={
                "trained": ("full", *RANKS),
                "learning_rate": (1e-4, 2.5e-4, *RATES),
            },
            seeds=12,
            settings={
                "train_items": 3000,
                "steps": 400,
                "batch_size": 64,
                "suite_items": 1000,
                "precision": "bfloat16",
            },
        ),
    },
    needs=("base_model",),
)

"""Which learning rate fine-tunes best, and what does a wrong one do?

The intervention is the peak learning rate alone: same base model, same adapter, same items in the
same order for every rate of one seed.
"""

from typing import TYPE_CHECKING

from llmlab.finetune.study.measures import tuning_sweep
from llmlab.method.declare.experiment import Axis, Budget, Subject, Trial

if TYPE_CHECKING:
    from llmlab.finetune.study.tuning import Tuning


def describe(trial: Trial) -> "Tuning":
    from llmlab.finetune.model.lora import LoraSpec
    from llmlab.finetune.study.tuning import tuning_of
    from llmlab.finetune.tasks.task import subtraction_task

    task = subtraction_task(trial.settings["train_items"])
    return tuning_of(trial, task, LoraSpec(rank=8, alpha=16))


RATES = (1e-5, 5e-5, 2e-4, 5e-4, 1e-3, 5e-3, 1e-2, 2e-2, 5e-2)

EXPERIMENT = tuning_sweep(
    describe,
    name="learning_rate",
    title="The learning rate",
    question="Q-LR",
    summary="Fine-tunes the base model on subtraction at nine learning rates.",
    subject=Subject("`micro` with LoRA of rank 8", "subtraction"),
    axes=(Axis("learning_rate", "Peak of the schedule."),),
    budgets={
        "smoke": Budget(
            conditions={"learning_rate": (1e-5, 1e-3, 5e-3)},
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
            conditions={"learning_rate": RATES},
            seeds=10,
            settings={
                "train_items": 3000,
                "steps": 400,
                "batch_size": 32,
                "suite_items": 250,
                "precision": "float32",
            },
        ),
        "gpu": Budget(
            conditions={"learning_rate": RATES},
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

"""Which layers should carry an adapter: attention, the MLP, or all of them?

The intervention is the place of the adapter. Attention and MLP are tried twice: at the rank that
all layers have, which gives them fewer parameters, and at the rank that gives them as many.
"""

from typing import TYPE_CHECKING

from llmlab.finetune.study.measures import tuning_sweep
from llmlab.method.declare.experiment import Axis, Budget, Subject, Trial

if TYPE_CHECKING:
    from llmlab.finetune.study.tuning import Tuning

ATTENTION = ("qkv", "out")
MLP = ("up", "down")

ADAPTERS = {
    "all, rank 8": (ATTENTION + MLP, 8),
    "attention, rank 8": (ATTENTION, 8),
    "attention, rank 21": (ATTENTION, 21),
    "MLP, rank 8": (MLP, 8),
    "MLP, rank 13": (MLP, 13),
}
"""Layers and rank of each adapter. Ranks 21 and 13 have as many parameters as rank 8 on all layers,
within 2 %: a rank costs a block's attention 6 d_model, its MLP 10 d_model, both together 16."""


def describe(trial: Trial) -> "Tuning":
    from llmlab.finetune.model.lora import LoraSpec
    from llmlab.finetune.study.tuning import tuning_of
    from llmlab.finetune.tasks.task import subtraction_task

    layers, rank = ADAPTERS[trial.condition["adapter"]]
    task = subtraction_task(trial.settings["train_items"])
    return tuning_of(trial, task, LoraSpec(rank=rank, alpha=16, target_modules=layers))


EXPERIMENT = tuning_sweep(
    describe,
    name="lora_modules",
    title="Where to put LoRA",
    question="Q-MODULES",
    summary="Learns subtraction with adapters on attention, the MLP and both, at three rates each.",
    subject=Subject("`micro` with LoRA", "subtraction"),
    axes=(
        Axis("adapter", "The layers that carry an adapter, and its rank."),
        Axis("learning_rate", "Peak of the schedule."),
    ),
    budgets={
        "smoke": Budget(
            conditions={
                "adapter": ("all, rank 8", "attention, rank 8", "MLP, rank 8"),
                "learning_rate": (8e-3,),
            },
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
            conditions={"adapter": tuple(ADAPTERS), "learning_rate": (3.5e-3, 8e-3, 1.6e-2)},
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
                "adapter": tuple(ADAPTERS),
                "learning_rate": (1.5e-3, 3.5e-3, 8e-3, 1.6e-2),
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

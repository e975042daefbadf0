"""LoRA beside full fine-tuning: which learning rate does each want, and what does it reach there?

The intervention is what of the model is trained. Every way gets the same base model, the same items
in the same order, the same steps, and the same learning rates to choose from.
"""

from typing import TYPE_CHECKING

from llmlab.finetune.measures import tuning_sweep
from llmlab.method.declare.experiment import Axis, Budget, Trial

if TYPE_CHECKING:
    from llmlab.finetune.methods import Method
    from llmlab.finetune.tuning import Tuning

RANKS = {"rank 2": 2, "rank 8": 8, "rank 32": 32}


def describe(trial: Trial) -> "Tuning":
    from llmlab.finetune.tasks import subtraction_task
    from llmlab.finetune.tuning import Tuning
    from llmlab.gpt.training import TrainConfig

    settings, condition = trial.settings, trial.condition
    return Tuning(
        base=trial.needs["base_model"],
        task=subtraction_task(settings["train_items"]),
        method=method(condition["trained"]),
        config=TrainConfig(
            learning_rate=condition["learning_rate"],
            steps=settings["steps"],
            precision=settings["precision"],
        ),
        batch_size=settings["batch_size"],
        seed=trial.seed,
        suite_items=settings["suite_items"],
    )


def method(trained: str) -> "Method":
    """The way to fine-tune that a level of the axis `trained` names."""
    from llmlab.finetune.lora import LoraSpec
    from llmlab.finetune.methods import Full

    return Full() if trained == "full" else LoraSpec(rank=RANKS[trained], alpha=16)


RATES = (6e-4, 1.5e-3, 3.5e-3, 8e-3, 2e-2, 5e-2)

EXPERIMENT = tuning_sweep(
    describe,
    name="full_finetuning",
    title="LoRA beside full fine-tuning",
    question="Q-FULL",
    summary="Learns subtraction with all weights and with three ranks of LoRA, at six rates each.",
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
            seeds=5,
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
            seeds=10,
            settings={
                "train_items": 3000,
                "steps": 400,
                "batch_size": 64,
                "suite_items": 1000,
                "precision": "bfloat16",
            },
        ),
    },
)

"""Above which LoRA rank does more rank no longer help?

The task is pure memory: random facts that nothing but stored bits can answer. Every rank is tried
under both scaling rules at every learning rate, so that each is compared at its own best one.
"""

from typing import TYPE_CHECKING

from llmlab.finetune.study.measures import tuning_sweep
from llmlab.method.declare.experiment import Axis, Budget, Subject, Trial

if TYPE_CHECKING:
    from llmlab.finetune.study.tuning import Tuning


def describe(trial: Trial) -> "Tuning":
    from llmlab.finetune.model.lora import LoraSpec
    from llmlab.finetune.study.tuning import tuning_of
    from llmlab.finetune.tasks.task import facts_task

    rank, scaling = trial.condition["rank"], trial.condition["scaling"]
    adapter = LoraSpec(rank=rank, alpha=16, scaling=scaling)
    return tuning_of(trial, facts_task(trial.settings["facts"]), adapter)


SWEEP = {
    "rank": (1, 4, 8, 16, 64),
    "scaling": ("alpha/r", "rslora"),
    "learning_rate": (6.25e-4, 1.25e-3, 2.5e-3, 5e-3, 1e-2),
}

EXPERIMENT = tuning_sweep(
    describe,
    name="lora_rank",
    title="The rank of LoRA",
    question="Q-RANK",
    summary="Memorises random facts at five ranks, under two scaling rules, at five rates each.",
    subject=Subject("`micro` with LoRA", "random facts"),
    axes=(
        Axis("rank", "Inner width r of the adapter.", "dimensions"),
        Axis("scaling", "Rule for the adapter's scale s: α/r, or α/√r (rsLoRA)."),
        Axis("learning_rate", "Peak of the schedule."),
    ),
    budgets={
        "smoke": Budget(
            conditions={
                "rank": (1, 8, 32),
                "scaling": ("alpha/r", "rslora"),
                "learning_rate": (1e-3, 5e-3),
            },
            seeds=2,
            settings={
                "facts": 32,
                "steps": 20,
                "batch_size": 16,
                "suite_items": 50,
                "precision": "float32",
            },
        ),
        "laptop": Budget(
            conditions=SWEEP,
            seeds=10,
            settings={
                "facts": 192,
                "steps": 200,
                "batch_size": 32,
                "suite_items": 50,
                "precision": "float32",
            },
        ),
        "gpu": Budget(
            conditions=SWEEP,
            seeds=12,
            settings={
                "facts": 256,
                "steps": 400,
                "batch_size": 32,
                "suite_items": 1000,
                "precision": "bfloat16",
            },
        ),
    },
    needs=("base_model",),
)

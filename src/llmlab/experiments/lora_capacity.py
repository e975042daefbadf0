"""How much does an adapter of each rank hold?

The interventions are the rank and the load, the number of random facts to memorise. A batch is the
same share of the facts at every load. So each fact is seen equally often, and the optimizer takes
equally many steps: only how much has to fit at once differs.
"""

from typing import TYPE_CHECKING

from llmlab.finetune.study.measures import tuning_sweep
from llmlab.method.declare.experiment import Axis, Budget, Subject, Trial

if TYPE_CHECKING:
    from llmlab.finetune.study.tuning import Tuning

BATCHES_PER_EPOCH = 8


def describe(trial: Trial) -> "Tuning":
    from llmlab.finetune.model.lora import LoraSpec
    from llmlab.finetune.study.tuning import tuning_of
    from llmlab.finetune.tasks.task import facts_task

    facts, rank = trial.condition["facts"], trial.condition["rank"]
    adapter = LoraSpec(rank=rank, alpha=16, scaling="rslora")
    return tuning_of(trial, facts_task(facts), adapter, batch_size=facts // BATCHES_PER_EPOCH)


EXPERIMENT = tuning_sweep(
    describe,
    name="lora_capacity",
    title="What an adapter holds",
    question="Q-RANK",
    summary="Memorises few and many random facts at ranks from 2 to 64, at five rates each.",
    subject=Subject("`micro` with LoRA under rsLoRA", "random facts"),
    axes=(
        Axis("facts", "Random facts to memorise."),
        Axis("rank", "Inner width r of the adapter, scaled by α/√r.", "dimensions"),
        Axis("learning_rate", "Peak of the schedule."),
    ),
    budgets={
        "smoke": Budget(
            conditions={"facts": (16, 64), "rank": (2, 32), "learning_rate": (1.5e-3,)},
            seeds=2,
            settings={"steps": 20, "suite_items": 50, "precision": "float32"},
        ),
        "laptop": Budget(
            conditions={
                "facts": (64, 256),
                "rank": (2, 8, 32, 64),
                "learning_rate": (7.5e-4, 1.5e-3, 3e-3, 6e-3, 1.2e-2),
            },
            seeds=10,
            settings={"steps": 400, "suite_items": 250, "precision": "float32"},
        ),
        "gpu": Budget(
            conditions={
                "facts": (64, 256, 1024),
                "rank": (1, 2, 8, 32, 64),
                "learning_rate": (5e-4, 1.5e-3, 3e-3, 6e-3),
            },
            seeds=12,
            settings={"steps": 400, "suite_items": 1000, "precision": "bfloat16"},
        ),
    },
    needs=("base_model",),
)

"""The minimum interesting experiment: what do a few steps give, and what do they take away?

The intervention is the learning rate; the number of steps says how little training is enough.
"""

from typing import TYPE_CHECKING

from llmlab.finetune.study.measures import tuning_sweep
from llmlab.method.declare.experiment import Axis, Budget, Subject, Trial

if TYPE_CHECKING:
    from llmlab.finetune.study.tuning import Tuning


def describe(trial: Trial) -> "Tuning":
    from llmlab.finetune.model.lora import LoraSpec
    from llmlab.finetune.study.tuning import Tuning
    from llmlab.finetune.tasks.task import subtraction_task
    from llmlab.gpt.training import TrainConfig

    return Tuning(
        base=trial.needs["base_model"],
        task=subtraction_task(train_items=3000),
        method=LoraSpec(rank=8, alpha=16),
        config=TrainConfig(**trial.condition),
        batch_size=32,
        seed=trial.seed,
        suite_items=trial.settings["suite_items"],
    )


RATES = (5e-4, 5e-3)
STEPS = (5, 10, 20, 40, 80)

EXPERIMENT = tuning_sweep(
    describe,
    name="minimum",
    title="The minimum interesting experiment",
    question="Q-MINIMUM",
    summary="Fine-tunes for five to eighty steps at two rates, to find how little is enough.",
    subject=Subject("`micro` with LoRA of rank 8", "subtraction"),
    axes=(
        Axis("learning_rate", "Peak of the schedule."),
        Axis("steps", "Optimizer steps."),
    ),
    budgets={
        "smoke": Budget({"learning_rate": RATES, "steps": (5, 10)}, 3, {"suite_items": 50}),
        "laptop": Budget({"learning_rate": RATES, "steps": STEPS}, 10, {"suite_items": 250}),
        "gpu": Budget({"learning_rate": RATES, "steps": STEPS}, 12, {"suite_items": 1000}),
    },
    needs=("base_model",),
)

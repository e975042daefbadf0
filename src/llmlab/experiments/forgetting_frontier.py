"""At equal accuracy on a new task, how little does each method forget, over all its rates?

The rate at which a method learns best answers another question: a lower one may reach the same
accuracy later and lose less on the way. So the rates of each method range from one that barely gets
there in time to one that loses nearly everything. A run ends when it gets there. Its rate stays
constant after the warm-up, so that no schedule ends before the run does.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from llmlab.experiments import forgetting
from llmlab.experiments.forgetting import TARGET
from llmlab.method.declare.experiment import Axis, Budget, Experiment, Outcome, Subject, Trial

if TYPE_CHECKING:
    from llmlab.finetune.study.tuning import Tuning

RATES = {"full": 1e-3, "lora-32": 4e-3}
"""The learning rate of each method that counts as 1."""
MEASURED = ("forgetting_at_target", "old_loss_at_target", "steps_to_target")


def run(trial: Trial) -> Outcome:
    from llmlab.finetune.study.tracking import tracked_run

    settings = trial.settings
    tuning = describe(trial)
    watched = tracked_run(tuning, settings["look_every"], settings["look_items"], TARGET)
    looks = forgetting.looks(watched.checks)
    if watched.history.diverged_at is not None:
        return EXPERIMENT.diverged(curves=looks, tokens=watched.history.tokens)
    found = forgetting.on_the_way(watched.checks)
    return Outcome({name: found[name] for name in MEASURED}, looks, tokens=watched.history.tokens)


def describe(trial: Trial) -> "Tuning":
    from llmlab.finetune.study.tuning import tuning_of
    from llmlab.finetune.tasks.replay import with_replay
    from llmlab.finetune.tasks.task import subtraction_task

    name, settings = trial.condition["method"], trial.settings
    task = subtraction_task(settings["train_items"])
    mixed = with_replay(task.train, settings["replay"], trial.seed)
    rate = RATES[name] * trial.condition["relative_rate"]
    return tuning_of(trial, replace(task, train=mixed), forgetting.method(name), learning_rate=rate)


def _budget(relative_rates: tuple[float, ...], seeds: int, **settings: float | str) -> Budget:
    return Budget(
        conditions={"method": tuple(RATES), "relative_rate": relative_rates},
        seeds=seeds,
        settings={"batch_size": 16, "replay": 0.05, "final_share": 1.0, **settings},
    )


EXPERIMENT = Experiment(
    name="forgetting_frontier",
    title="The frontier of forgetting",
    question="Q-FORGET",
    summary=(
        "Fine-tunes on subtraction, fully and with LoRA, until 40 % are right, at several rates "
        "each, and measures how much of the old skills is lost by then."
    ),
    subject=Subject("`micro`", "subtraction, beside four old skills with exact answers"),
    axes=(
        Axis("method", "What is trained: all weights, or an adapter of the rank in its name."),
        Axis(
            "relative_rate",
            "Learning rate over a fixed one: "
            + ", ".join(f"{rate:g} for {name}" for name, rate in RATES.items())
            + ".",
        ),
    ),
    metrics=tuple(forgetting.EXPERIMENT.metric(name) for name in MEASURED),
    curves=tuple(curve for curve in forgetting.EXPERIMENT.curves if curve.name in forgetting.LOOKS),
    selection_metric="forgetting_at_target",
    needs=("base_model",),
    run=run,
    budgets={
        "smoke": _budget(
            (0.5, 1.0),
            seeds=2,
            train_items=500,
            steps=20,
            look_every=10,
            look_items=20,
            suite_items=50,
            precision="float32",
        ),
        "laptop": _budget(
            (0.0625, 0.125, 0.25, 0.5, 1.0, 2.0),
            seeds=10,
            train_items=3000,
            steps=900,
            look_every=20,
            look_items=50,
            suite_items=50,
            precision="float32",
        ),
        "gpu": _budget(
            (0.0625, 0.125, 0.25, 0.5, 1.0, 2.0),
            seeds=12,
            train_items=3000,
            steps=2000,
            look_every=25,
            look_items=100,
            suite_items=100,
            precision="bfloat16",
        ),
    },
)

"""Does a base model in four bits cost accuracy, and what does it save in memory and time?

The intervention is what is trained, and on which base: the whole model, an adapter on the base as
it is, or the same adapter on a base in NF4, with its block constants plain or quantised as well.
Every method is tried at the same learning rates.
"""

import time
from typing import TYPE_CHECKING

from llmlab.finetune.study.measures import CURVES, METRICS, outcome
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
    from llmlab.finetune.study.tuning import Tuning
    from llmlab.gpt.training import Batch, Trainer


def describe(trial: Trial) -> "Tuning":
    from llmlab.finetune.model.lora import LoraSpec
    from llmlab.finetune.model.methods import Full
    from llmlab.finetune.model.qlora import FourBit, QloraSpec
    from llmlab.finetune.study.tuning import tuning_of
    from llmlab.finetune.tasks.task import subtraction_task

    adapter = LoraSpec(rank=8, alpha=16)
    methods = {
        "full": Full(),
        "lora": adapter,
        "qlora": QloraSpec(adapter, FourBit(double_quantisation=False)),
        "qlora-double": QloraSpec(adapter, FourBit(double_quantisation=True)),
    }
    task = subtraction_task(trial.settings["train_items"])
    return tuning_of(trial, task, methods[trial.condition["method"]])


def run(trial: Trial) -> Outcome:
    from dataclasses import replace

    from llmlab.finetune.study.tuning import fine_tune

    tuning = describe(trial)
    costs = _memory(tuning) | _step_time(tuning, trial.settings["timed_steps"]) | _damage(tuning)
    tuned = outcome(fine_tune(tuning))
    return replace(tuned, metrics={**tuned.metrics, **costs})


MIB = 2**20


def _memory(tuning: "Tuning") -> dict[str, float]:
    """Memory of the first step, and how far off the prediction was."""
    from llmlab.finetune.model.base_model import load_base_model
    from llmlab.finetune.observe.memory import measure_memory, predict_memory
    from llmlab.gpt.training import best_device

    trainer, batch = _start(tuning, tuning.method)
    found = measure_memory(trainer, batch)
    base, precision = load_base_model(tuning.base, best_device()), tuning.config.precision
    predicted = predict_memory(base, tuning.method, tuple(batch[0].shape), precision)
    return {
        "weight_memory": (found.weights + found.constants) / MIB,
        "state_memory": (found.adapter + found.gradients + found.optimizer) / MIB,
        "activation_memory": found.activations / MIB,
        "memory_error": predicted.total / found.total - 1,
    }


def _step_time(tuning: "Tuning", n_steps: int) -> dict[str, float]:
    """Alternate with LoRA and take the fastest of each, so that other work matters least."""
    from llmlab.finetune.model.lora import LoraSpec

    (trainer, batch), (lora, _) = (
        _start(tuning, method) for method in (tuning.method, LoraSpec(rank=8, alpha=16))
    )
    pairs = [(_seconds(trainer, batch), _seconds(lora, batch)) for _ in range(n_steps)]
    own, loras = map(min, zip(*pairs, strict=True))
    return {"step_time": own / loras}


def _seconds(trainer: "Trainer", batch: "Batch") -> float:
    """Time of a step; on a CPU, of this process alone, so that other work does not count."""
    clock = time.perf_counter if batch[0].is_cuda else time.process_time
    started = clock()
    next(trainer.points(iter([batch])))
    return clock() - started


def _damage(tuning: "Tuning") -> dict[str, float]:
    """What four bits did to the weights and to the skills, before any training."""
    from llmlab.finetune.model.base_model import load_base_model
    from llmlab.finetune.model.qlora import QloraSpec
    from llmlab.finetune.observe.quantisation import quantisation_report
    from llmlab.finetune.study.tuning import accuracies_of_base
    from llmlab.finetune.tasks.suites import suite_accuracies
    from llmlab.gpt.training import best_device

    device, n_items = best_device(), tuning.suite_items
    error, accuracies = 0.0, accuracies_of_base(tuning.base, n_items)
    if isinstance(tuning.method, QloraSpec):
        adapted = tuning.method.adapt(load_base_model(tuning.base, device), tuning.seed)
        error = quantisation_report(load_base_model(tuning.base, device), adapted).relative_error
        accuracies = suite_accuracies(adapted, n_items, device)
    return {
        "quantisation_error": error,
        "skills_at_start": sum(accuracies.values()) / len(accuracies),
    }


def _start(tuning: "Tuning", method: object) -> tuple["Trainer", "Batch"]:
    """A fresh run of `method`, before its first step, and its first batch."""
    from llmlab.finetune.model.base_model import load_base_model
    from llmlab.finetune.tasks.batches import encode, epochs
    from llmlab.gpt.training import Trainer, best_device

    device = best_device()
    model = method.adapt(load_base_model(tuning.base, device), tuning.seed).to(device)
    batches = epochs(encode(tuning.task.train).to(device), tuning.batch_size, tuning.seed)
    return Trainer(model, tuning.config), next(batches)


COSTS = (
    Metric(
        "weight_memory",
        "Weights of the base model and the constants that scale them.",
        "MiB",
        "lower",
        tolerance=0.1,
    ),
    Metric(
        "state_memory",
        "Weights of the adapter, gradients and state of the optimizer.",
        "MiB",
        "lower",
        tolerance=0.1,
    ),
    Metric(
        "activation_memory",
        "What the forward pass keeps for the backward pass.",
        "MiB",
        "lower",
        tolerance=0.5,
    ),
    Metric(
        "memory_error",
        "Memory predicted from shapes over measured memory, minus 1.",
        "share",
        tolerance=0.1,
    ),
    Metric(
        "step_time",
        "Fastest step over the fastest of LoRA on the unquantised base, timed in turns.",
        "1",
        "lower",
        tolerance=1.0,
    ),
    Metric(
        "quantisation_error",
        "Norm of the quantisation error of the weights over their norm.",
        "share",
        "lower",
        tolerance=0.01,
    ),
    Metric(
        "skills_at_start",
        "Exact answers on the base model's skills before training, mean over the skills.",
        "share",
        "higher",
        tolerance=0.05,
    ),
)

SWEEP = {
    "method": ("full", "lora", "qlora", "qlora-double"),
    "learning_rate": (2.5e-3, 5e-3, 1e-2),
}

EXPERIMENT = Experiment(
    name="qlora_basic",
    title="QLoRA",
    question="Q-QLORA",
    summary="Fine-tunes fully, with LoRA and with QLoRA at three rates each, and measures costs.",
    subject=Subject("`micro`", "subtraction"),
    axes=(
        Axis(
            "method",
            "What is trained: all of the model, LoRA of rank 8, the same on a base in NF4 (qlora), "
            "or on one whose block constants are quantised as well (qlora-double).",
        ),
        Axis("learning_rate", "Peak of the schedule."),
    ),
    metrics=(*METRICS, *COSTS),
    curves=CURVES,
    selection_metric="validation_loss",
    needs=("base_model",),
    run=run,
    budgets={
        "smoke": Budget(
            conditions={**SWEEP, "learning_rate": (5e-3,)},
            seeds=2,
            settings={
                "train_items": 500,
                "steps": 20,
                "batch_size": 16,
                "suite_items": 50,
                "timed_steps": 5,
                "precision": "float32",
            },
        ),
        "laptop": Budget(
            conditions=SWEEP,
            seeds=20,
            settings={
                "train_items": 3000,
                "steps": 220,
                "batch_size": 32,
                "suite_items": 100,
                "timed_steps": 10,
                "precision": "float32",
            },
        ),
        "gpu": Budget(
            conditions=SWEEP,
            seeds=21,
            settings={
                "train_items": 3000,
                "steps": 220,
                "batch_size": 64,
                "suite_items": 1000,
                "timed_steps": 20,
                "precision": "bfloat16",
            },
        ),
    },
)

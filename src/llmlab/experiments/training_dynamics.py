"""How do batch size and learning rate interact, and where do LoRA and full fine-tuning end?

Every run sees the same number of examples, not of steps: examples cost time and data, and the batch
size decides how they are spent. So a batch four times as large gets a quarter of the steps.
"""

import math
from functools import cache
from typing import TYPE_CHECKING

from llmlab.finetune.study.measures import CURVES, METRICS
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
    from torch import nn

    from llmlab.finetune.model.methods import Method
    from llmlab.finetune.observe.landscape import Weights
    from llmlab.finetune.observe.optimizer_state import Moments
    from llmlab.finetune.study.tuning import Tuning

View = dict[str, object]


def describe(trial: Trial) -> "Tuning":
    from llmlab.finetune.model.lora import LoraSpec
    from llmlab.finetune.model.methods import Full

    methods = {"full": Full(), "lora": LoraSpec(rank=8, alpha=16)}
    return _tuning(trial, methods[trial.condition["method"]], trial.condition["batch_size"])


def describe_reference(trial: Trial) -> "Tuning":
    """A full run with the same start and other examples first: a second minimum to walk to."""
    from llmlab.finetune.model.methods import Full

    rate, batch_size = (trial.settings[n] for n in ("reference_rate", "landscape_batch_size"))
    return _tuning(trial, Full(), batch_size, learning_rate=rate, seed=trial.seed + 1000)


def _tuning(trial: Trial, method: "Method", batch_size: int, **changes: object) -> "Tuning":
    """A run of as many steps as make up the trial's number of examples."""
    from llmlab.finetune.study.tuning import tuning_of
    from llmlab.finetune.tasks.task import subtraction_task

    steps = trial.settings["examples"] // batch_size
    changes |= {"batch_size": batch_size, "steps": steps, "log_every": max(1, steps // 32)}
    task = subtraction_task(trial.settings["train_items"])
    return tuning_of(trial, task, method, suite_items=0, **changes)


def run(trial: Trial) -> Outcome:
    from llmlab.finetune.model.base_model import load_base_model
    from llmlab.finetune.observe.landscape import merged_copy
    from llmlab.finetune.observe.optimizer_state import full_rate_share, moments, rate_spread
    from llmlab.finetune.tasks.batches import encode, epochs
    from llmlab.finetune.tasks.suites import grade
    from llmlab.gpt.training import History, Trainer, best_device

    tuning, device = describe(trial), best_device()
    model = tuning.method.adapt(load_base_model(tuning.base, device), tuning.seed).to(device)
    noise_start = _noise_scale(model, trial)
    trainer = Trainer(model, tuning.config)
    batches = epochs(encode(tuning.task.train).to(device), tuning.batch_size, tuning.seed)
    history = History.of(trainer.points(batches), tuning.config)
    told = {
        "curves": {curve.name: history.curve(curve.name) for curve in CURVES},
        "tokens": history.tokens,
    }
    if history.diverged_at is not None:
        return EXPERIMENT.diverged(**told)
    noise_end = _noise_scale(model, trial)
    memory = moments(model, trainer.optimizer)
    shape, views = _shape(merged_copy(model), trial)
    return Outcome(
        metrics={
            "accuracy": grade(model, tuning.task.test, device).accuracy,
            "validation_loss": grade(model, tuning.task.validation, device).loss,
            "noise_start": noise_start,
            "noise_end": noise_end,
            "noise_growth": math.log10(noise_end / noise_start),
            "rate_spread": rate_spread(memory),
            "full_rate_share": full_rate_share(memory),
            **shape,
        },
        views=views | ({"second moment": moments_view(memory)} if _is_shown(trial) else {}),
        **told,
    )


def _is_shown(trial: Trial) -> bool:
    """Whether the run is one of the few whose end is drawn."""
    is_small = trial.condition["batch_size"] == trial.settings["landscape_batch_size"]
    return trial.seed == 0 and is_small


def _noise_scale(model: "nn.Module", trial: Trial) -> float:
    """The noise scale in examples, capped where it can no longer be told."""
    from llmlab.finetune.observe.noise_scale import measured_noise
    from llmlab.finetune.tasks.batches import encode
    from llmlab.gpt.training import best_device

    n_examples = trial.settings["noise_examples"]
    probe = encode(describe(trial).task.train[:n_examples]).to(best_device())
    return min(measured_noise(model, probe, chunk=16).scale, MOST_NOISE * n_examples)


MOST_NOISE = 10
"""The cap on a noise scale, in multiples of the examples that it is measured on."""


def _shape(model: "nn.Module", trial: Trial) -> tuple[dict[str, float], dict[str, View]]:
    """What the loss looks like around the plain model, and on the way to a full minimum."""
    from llmlab.finetune.observe.landscape import (
        Landscape,
        barrier,
        path,
        plane,
        rise,
        weights_of,
    )
    from llmlab.finetune.tasks.batches import encode
    from llmlab.gpt.training import best_device

    settings, task = trial.settings, describe(trial).task
    seen = encode(task.validation[: settings["landscape_items"]]).to(best_device())
    centre = weights_of(model)
    curvature = _top_eigenvalue(model, trial)
    landscape = Landscape(model, seen)
    walk = list(path(landscape, centre, full_minimum(describe_reference(trial)), SHARES))
    losses = [point.loss for point in walk]
    views: dict[str, View] = {
        "path": {
            "kind": "path",
            "shares": SHARES,
            "loss": losses,
            "accuracy": [point.accuracy for point in walk],
        }
    }
    if _is_shown(trial):
        n_points = settings["plane_points"]
        distances = [2 * PLANE * i / (n_points - 1) - PLANE for i in range(n_points)]
        views["plane"] = {
            "kind": "plane",
            "distances": distances,
            "loss": plane(landscape, centre, distances),
        }
    metrics = {
        "log_curvature": math.log10(max(curvature, FLATTEST)),
        "random_rise": rise(landscape, centre, RISE, n_directions=4),
        "barrier": barrier(losses, SHARES),
    }
    return metrics, views


SHARES = [step / 6 for step in range(7)]
"""Where the path is evaluated, as shares of the way to the full minimum."""
PLANE = 0.8
"""Half the width of a plane, in lengths of the weights."""
RISE = 0.2
"""The distance of `random_rise`, in lengths of the weights."""
FLATTEST = 1e-6
"""Smaller curvatures count as this."""


@cache
def full_minimum(tuning: "Tuning") -> "Weights":
    """Where a full run ends; one per seed serves all conditions that a process runs."""
    from llmlab.finetune.observe.landscape import weights_of
    from llmlab.finetune.study.tuning import tuned_model

    return weights_of(tuned_model(tuning)[0])


def _top_eigenvalue(model: "nn.Module", trial: Trial) -> float:
    """The largest of the training loss's Hessian over the blocks' matrices, which LoRA adapts."""
    from llmlab.finetune.observe.curvature import hessian_product, top_eigenvalues
    from llmlab.finetune.observe.noise_scale import flat
    from llmlab.finetune.tasks.batches import encode
    from llmlab.gpt.model import next_token_loss
    from llmlab.gpt.training import best_device

    items = describe(trial).task.train[: trial.settings["curvature_items"]]
    sequences = encode(items).to(best_device())
    matrices = [p for p in model.blocks.parameters() if p.ndim == 2]
    product = hessian_product(
        lambda: next_token_loss(model(sequences.tokens_NT), sequences.targets_NT), matrices
    )
    like = flat(tuple(matrix.detach() for matrix in matrices))
    return top_eigenvalues(product, like, n_steps=8)[0]


def moments_view(memory: "dict[str, Moments]") -> View:
    """Quantiles of √v̂ and of the used share of the learning rate, for each parameter."""
    from llmlab.finetune.observe.optimizer_state import QUANTILES, quantiles

    return {
        "kind": "second_moment",
        "quantiles": QUANTILES,
        "parameters": [
            {
                "name": name,
                "size": _short(quantiles(found.size[found.moves])),
                "share": _short(quantiles(found.share[found.moves])),
            }
            for name, found in memory.items()
        ],
    }


def _short(values: list[float]) -> list[float]:
    return [float(f"{value:.3g}") for value in values]


DYNAMICS = (
    Metric(
        "noise_start",
        "Gradient-noise scale of the trained parameters before the first step.",
        "examples",
        tolerance=10,
    ),
    Metric(
        "noise_end",
        "Gradient-noise scale of the trained parameters after the last step.",
        "examples",
        tolerance=3000,
    ),
    Metric(
        "noise_growth",
        "Noise scale at the end over that at the start, base-10 logarithm.",
        "decades",
        tolerance=1.0,
    ),
    Metric(
        "rate_spread",
        "Root of Adam's second moment, 95th over 5th percentile of weights, base-10 logarithm.",
        "decades",
        tolerance=0.2,
    ),
    Metric(
        "full_rate_share",
        "Weights whose last step used at least half of the learning rate.",
        "share",
        tolerance=0.1,
    ),
    Metric(
        "log_curvature",
        "Largest eigenvalue of the Hessian over the blocks' matrices, base-10 logarithm.",
        "decades",
        "lower",
        tolerance=0.5,
    ),
    Metric(
        "random_rise",
        "Rise of the validation loss a fifth of the weights' norm away in a random direction.",
        "nats/token",
        "lower",
        tolerance=0.1,
    ),
    Metric(
        "barrier",
        "How far the validation loss rises on the straight path to a full fine-tuning minimum.",
        "nats/token",
        "lower",
        tolerance=0.2,
    ),
)

SETTINGS = {
    "train_items": 3000,
    "examples": 4096,
    "reference_rate": 1e-3,
    "landscape_batch_size": 8,
    "landscape_items": 150,
    "curvature_items": 32,
    "noise_examples": 256,
    "plane_points": 9,
    "precision": "float32",
}

EXPERIMENT = Experiment(
    name="training_dynamics",
    title="Training dynamics",
    question="Q-BATCH",
    summary="Fine-tunes fully and with LoRA at several batch sizes and learning rates, and "
    "measures gradient noise, Adam's state and the shape of the loss where each run ends.",
    subject=Subject("`micro`", "subtraction"),
    axes=(
        Axis("method", "What is trained: all weights, or an adapter of rank 8."),
        Axis("batch_size", "Examples per step; all runs see the same total.", "examples"),
        Axis("learning_rate", "Peak of the schedule."),
    ),
    metrics=(*METRICS[:2], *DYNAMICS),
    curves=CURVES,
    selection_metric="validation_loss",
    needs=("base_model",),
    run=run,
    budgets={
        "smoke": Budget(
            conditions={
                "method": ("full", "lora"),
                "batch_size": (8, 32),
                "learning_rate": (1e-3, 3e-3),
            },
            seeds=1,
            settings=SETTINGS
            | {
                "train_items": 500,
                "examples": 256,
                "landscape_items": 50,
                "noise_examples": 64,
                "plane_points": 3,
            },
        ),
        "laptop": Budget(
            conditions={
                "method": ("full", "lora"),
                "batch_size": (8, 32, 128),
                "learning_rate": (3e-4, 1e-3, 3e-3, 1e-2, 2e-2),
            },
            seeds=20,
            settings=SETTINGS,
        ),
        "gpu": Budget(
            conditions={
                "method": ("full", "lora"),
                "batch_size": (8, 32, 128, 512),
                "learning_rate": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
            },
            seeds=12,
            settings=SETTINGS
            | {
                "examples": 12_800,
                "landscape_items": 300,
                "curvature_items": 256,
                "noise_examples": 2048,
                "plane_points": 21,
            },
        ),
    },
)

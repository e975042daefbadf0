"""Weak and strong scaling to 16,384 GPUs: which part of a step takes over, and where?

The interventions are the number of GPUs and whether the batch grows with them. A seed draws new
coefficients within the uncertainty of a calibration, so that intervals show what it matters.
"""

from dataclasses import fields, replace

import numpy as np

from llmlab.cluster.physics.coefficients import SHARES, Coefficients, calibrated
from llmlab.cluster.physics.hardware import accelerator
from llmlab.cluster.physics.plan import Plan
from llmlab.cluster.physics.shapes import known_shape
from llmlab.cluster.physics.step import step_time
from llmlab.method.declare.experiment import (
    Axis,
    Budget,
    Experiment,
    Metric,
    Outcome,
    Subject,
    Trial,
)

SPREAD = 0.1
"""Standard deviation of a coefficient's logarithm: how far leaving out one model moves it."""
SMALLEST, STRONG_BATCH, WEAK_BATCH = 512, 2048, 128
"""GPUs of the smallest run; sequences of a strong-scaling batch, and of a weak one per 512 GPUs."""
COMMUNICATION = ("tensor", "pipeline", "data", "context", "expert")


def run(trial: Trial) -> Outcome:
    gpus = int(trial.condition["gpus"])
    c = drawn(calibrated(), np.random.default_rng(trial.seed))
    base = layout(SMALLEST, str(trial.condition["scaling"]))
    plan = layout(gpus, str(trial.condition["scaling"]))
    step, first = step_time(plan, c), step_time(base, c)
    speed = plan.tokens / step.total / plan.gpus
    return Outcome(
        metrics={
            "efficiency": speed / (base.tokens / first.total / base.gpus),
            "mfu": speed * plan.shape.flops_per_token(plan.seq_len) / plan.accelerator.peak(16),
            "bubble": step.bubble / step.total,
            "communication": sum(getattr(step, part) for part in COMMUNICATION) / step.total,
            "waiting": step.waiting / step.total,
            "step_time": step.total,
        }
    )


def layout(gpus: int, scaling: str) -> Plan:
    """Llama 3.1 405B on `gpus` H100s: tp 8 and pp 16 as in its paper, the rest data parallel."""
    batch = STRONG_BATCH if scaling == "strong" else WEAK_BATCH * gpus // SMALLEST
    return Plan(
        shape=known_shape("Llama 3.1 405B"),
        accelerator=accelerator("H100"),
        gpus=gpus,
        seq_len=8192,
        global_batch=batch,
        tp=8,
        pp=16,
        interleave=4,
        sharding="optimizer",
        sequence_parallel=True,
    )


def drawn(centre: Coefficients, rng: np.random.Generator) -> Coefficients:
    """Coefficients around the calibrated ones; shares stay below 1."""
    values = {}
    for field in fields(Coefficients):
        value = getattr(centre, field.name) * float(np.exp(SPREAD * rng.standard_normal()))
        values[field.name] = min(value, 0.99) if field.name.startswith(SHARES) else value
    return replace(centre, **values)


GPUS = (512, 1024, 2048, 4096, 8192, 16384)

EXPERIMENT = Experiment(
    name="cluster_scaling",
    title="Scaling to 16,384 GPUs",
    question="Q-SCALING",
    summary="Predicts Llama 3.1 405B from 512 to 16,384 GPUs, with a fixed and a growing batch.",
    subject=Subject(
        "the book's simulator, Llama 3.1 405B", "coefficients fitted to published runs"
    ),
    axes=(
        Axis("gpus", "H100 GPUs, 128 for each data-parallel replica.", "GPUs"),
        Axis("scaling", "Strong: the batch is fixed. Weak: it grows with the GPUs."),
    ),
    metrics=(
        Metric("efficiency", "Tokens/s/GPU over those of 512 GPUs.", "share", "higher", 0.02),
        Metric("mfu", "Model FLOPs utilisation.", "share", "higher", 0.02),
        Metric("bubble", "Share of the step in the pipeline's bubble.", "share", "lower", 0.02),
        Metric("communication", "Share in exposed communication.", "share", "lower", 0.02),
        Metric("waiting", "Share spent waiting for the slowest rank.", "share", "lower", 0.02),
        Metric("step_time", "Seconds per step.", "s", "lower", 1.0),
    ),
    budgets={
        "smoke": Budget({"gpus": (512, 16384), "scaling": ("strong", "weak")}, 2),
        "laptop": Budget({"gpus": GPUS, "scaling": ("strong", "weak")}, 20),
        "gpu": Budget({"gpus": GPUS, "scaling": ("strong", "weak")}, 20),
    },
    run=run,
)

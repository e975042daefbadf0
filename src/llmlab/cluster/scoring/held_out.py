"""Test predictors on unseen models: the simulator and simple baselines."""

from collections.abc import Callable, Sequence

import numpy as np

from llmlab.cluster.facts import RUNS, fact_file
from llmlab.cluster.physics.coefficients import Coefficients
from llmlab.cluster.physics.step import step_time
from llmlab.cluster.scoring.calibration import calibrate
from llmlab.cluster.scoring.rows import Published
from llmlab.cluster.scoring.score import Scored
from llmlab.cluster.scoring.tables import runs_of

Predictor = Callable[[Sequence[Published], Sequence[Published]], list[float]]
"""Takes runs to learn from and runs to predict; returns seconds per step of the latter."""
UNFIT = ("modded_nanogpt",)
"""Sources whose batch size and sequence length change within a run."""


def comparable_runs() -> list[Published]:
    """All published runs that can be predicted and compared."""
    path = fact_file(RUNS)
    # in another encoding, only letters of names are lost
    runs, _ = runs_of(path, path.read_text(encoding="utf-8-sig", errors="replace"))
    return [run for run in runs if run.source not in UNFIT]


def model_key(run: Published) -> tuple[int, int, int]:
    """A key that identifies a run's model, whatever its source calls it."""
    shape = run.plan.shape
    return shape.layers, shape.d_model, shape.heads


def dense_models(runs: Sequence[Published]) -> list[tuple[int, int, int]]:
    """The dense models trained in 16 bits, smallest first."""
    return sorted({model_key(run) for run in runs if run.is_dense_16bit})


def test_on(
    model: tuple[int, int, int], runs: Sequence[Published], predictor: Predictor
) -> list[Scored]:
    """Predict the dense 16-bit runs of `model` after learning from runs of all other models."""
    others = [run for run in runs if model_key(run) != model]
    held_out = [run for run in runs if model_key(run) == model and run.is_dense_16bit]
    predicted = predictor(others, held_out)
    return [Scored(run, seconds) for run, seconds in zip(held_out, predicted, strict=True)]


def simulator(rounds: int) -> Predictor:
    """The simulator, calibrated in at most `rounds` rounds."""

    def predict(others: Sequence[Published], held_out: Sequence[Published]) -> list[float]:
        coefficients = calibrate(others, rounds=rounds)
        return [step_time(run.plan, coefficients).total for run in held_out]

    return predict


def uncalibrated(_: Sequence[Published], held_out: Sequence[Published]) -> list[float]:
    """The simulator with the coefficients before calibration."""
    return [step_time(run.plan, Coefficients()).total for run in held_out]


def constant_mfu(others: Sequence[Published], held_out: Sequence[Published]) -> list[float]:
    """The model's FLOPs at a constant utilisation: the median of the other dense 16-bit runs."""
    return _by_rate(others, held_out, lambda run: 1.0)


def flops_and_bubble(others: Sequence[Published], held_out: Sequence[Published]) -> list[float]:
    """Like `constant_mfu`, but counting recomputation and the pipeline's bubble."""

    def work(run: Published) -> float:
        plan = run.plan
        bubble = (plan.pp - 1) / (plan.interleave * plan.micro_batches)
        return (4 / 3 if plan.recompute == "full" else 1.0) * (1 + bubble)

    return _by_rate(others, held_out, work)


def _by_rate(
    others: Sequence[Published],
    held_out: Sequence[Published],
    work: Callable[[Published], float],
) -> list[float]:
    def ideal(run: Published) -> float:
        plan = run.plan
        flops = plan.tokens * plan.shape.flops_per_token(plan.seq_len) * work(run)
        return flops / (plan.gpus * plan.accelerator.peak(16))

    dense = [run for run in others if run.is_dense_16bit]
    utilisation = float(np.median([ideal(run) / run.observed for run in dense]))
    return [ideal(run) / utilisation for run in held_out]

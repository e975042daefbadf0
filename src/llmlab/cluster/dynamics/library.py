"""Published runs with known dynamics, and the fits to them."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd

from llmlab.cluster.dynamics.loss import LossDynamics, fit_loss
from llmlab.cluster.dynamics.pieces import FEWEST
from llmlab.cluster.dynamics.steps import StepDynamics, fit_steps
from llmlab.cluster.facts import MLPERF_STEPS, NANOGPT_STEPS, fact_table

FEWEST_RECORDS = 4 * FEWEST
STEADY = 0.25
"""Largest relative distance of the quartiles from the median in a run of constant batch and length.
"""
WARM_UP = 1 / 8
"""Initial share of a run in which the loss falls too fast for a trend."""


@dataclass(frozen=True)
class RealRun:
    """The series of one published run.

    Attributes:
        seconds: seconds per step of each record (n,); NaN if not logged.
        after_pause: whether a validation precedes each record (n,).
        losses: loss of each record (n,); NaN if not logged.
        steps_covered: number of steps per record.
    """

    name: str
    benchmark: str
    gpus: int
    seconds: np.ndarray
    after_pause: np.ndarray
    losses: np.ndarray
    steps_covered: int

    @property
    def has_losses(self) -> bool:
        """Whether it logged enough losses for a fit."""
        return int(np.isfinite(self.losses).sum()) >= 2 * FEWEST

    def after_warm_up(self) -> "RealRun":
        """The records with a time, after the warm-up."""
        known = np.isfinite(self.seconds) & (self.seconds > 0)
        kept = np.flatnonzero(known)[int(WARM_UP * len(known)) :]
        series = {name: getattr(self, name)[kept] for name in ("seconds", "after_pause", "losses")}
        return replace(self, **series)


@cache
def real_runs() -> tuple[RealRun, ...]:
    """Published runs that are long and steady enough for a fit, sorted by name."""
    runs = [*_mlperf(fact_table(MLPERF_STEPS)), *_nanogpt(fact_table(NANOGPT_STEPS))]
    return tuple(sorted(filter(_is_steady, runs), key=lambda run: run.name))


def step_dynamics(runs: tuple[RealRun, ...]) -> list[StepDynamics]:
    """The fits to the step times of `runs`."""
    return [fit_steps(run.name, run.seconds, run.after_pause) for run in runs]


def loss_dynamics(runs: tuple[RealRun, ...]) -> list[LossDynamics]:
    """The fits to the losses of those runs that logged them."""
    return [fit_loss(run.name, run.after_warm_up().losses) for run in runs if run.has_losses]


def _mlperf(table: pd.DataFrame) -> list[RealRun]:
    return [
        RealRun(
            name=str(name),
            benchmark=rows["benchmark"].iloc[0],
            gpus=int(rows["gpus"].iloc[0]),
            seconds=rows["seconds"].to_numpy(float),
            after_pause=rows["after_eval"].to_numpy(int) == 1,
            losses=rows["loss"].to_numpy(float),
            steps_covered=int(rows["steps_covered"].median()),
        )
        for name, rows in table.groupby("run")
    ]


def _nanogpt(table: pd.DataFrame) -> list[RealRun]:
    return [
        RealRun(
            name=str(name),
            benchmark=rows["benchmark"].iloc[0],
            gpus=8,
            seconds=rows["seconds"].to_numpy(float),
            after_pause=rows["val_loss"].notna().shift(fill_value=False).to_numpy(bool),
            losses=rows["train_loss"].to_numpy(float),
            steps_covered=1,
        )
        for name, rows in table.groupby("run")
    ]


def _is_steady(run: RealRun) -> bool:
    seconds = run.seconds[np.isfinite(run.seconds)]
    if len(seconds) < FEWEST_RECORDS:
        return False
    low, middle, high = np.quantile(seconds, [0.25, 0.5, 0.75])
    return low > (1 - STEADY) * middle and high < (1 + STEADY) * middle

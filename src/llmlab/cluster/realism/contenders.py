"""Series that claim to come from a real training run.

Each contender keeps the level and trend of a real run and draws the scatter. Values are rounded as
coarsely as in the real log.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from llmlab.cluster.dynamics.library import RealRun
from llmlab.cluster.dynamics.loss import fit_loss, trend
from llmlab.cluster.dynamics.noise import fit_noise
from llmlab.cluster.dynamics.pieces import fit_pieces
from llmlab.cluster.dynamics.steps import START, Fit, fit_steps

DIGITS = 7
"""Most decimals of a second in a log."""
SLEEP_SPREAD = 0.1
"""Largest deviation of a naive sleep from the mean, as a share."""
LOSS_SPREAD = 0.02


@dataclass(frozen=True)
class Series:
    """Consecutive records of a run.

    Attributes:
        seconds: seconds per step (n,).
        losses: losses (n,); NaN if not logged.
    """

    seconds: np.ndarray
    losses: np.ndarray


Contender = Callable[[RealRun, np.random.Generator], Series]


def real(run: RealRun, _: np.random.Generator) -> Series:
    """The run itself."""
    return Series(run.seconds, run.losses)


def simulated(run: RealRun, rng: np.random.Generator) -> Series:
    """Drawn as by `llmlab simulate`, from pieces of the real series."""
    return _drawn(run, fit_pieces, rng)


def autoregression(run: RealRun, rng: np.random.Generator) -> Series:
    """Drawn from the real distribution and autocorrelation alone."""
    return _drawn(run, fit_noise, rng)


def uniform_sleeps(run: RealRun, rng: np.random.Generator) -> Series:
    """Independent uniform draws around the mean step and around the trend of the loss."""
    count = len(run.seconds)
    seconds = run.seconds.mean() * rng.uniform(1 - SLEEP_SPREAD, 1 + SLEEP_SPREAD, count)
    losses = _trend(run) * rng.uniform(1 - LOSS_SPREAD, 1 + LOSS_SPREAD, count)
    return Series(_logged(seconds, run), losses)


def fixed_sleeps(run: RealRun, rng: np.random.Generator) -> Series:
    """Equal sleeps; the loss falls by a uniform draw at each step, as in genact."""
    count = len(run.seconds)
    level = _trend(run)
    falls = rng.uniform(0, 2, count) * (level[0] - level[-1]) / count
    seconds = np.full(count, run.seconds.mean())
    return Series(_logged(seconds, run), level[0] - np.cumsum(falls))


CONTENDERS: dict[str, Contender] = {
    "simulator": simulated,
    "autoregression": autoregression,
    "uniform sleeps": uniform_sleeps,
    "fixed sleeps": fixed_sleeps,
    "real runs": real,
}


def _drawn(run: RealRun, fit: Fit, rng: np.random.Generator) -> Series:
    count = len(run.seconds)
    dynamics = fit_steps(run.name, run.seconds, run.after_pause, fit)
    relative, _ = dynamics.draw(count + START, rng)
    seconds = np.median(run.seconds) * relative[START:]
    losses = np.full(count, np.nan)
    if run.has_losses:
        losses = _trend(run) * fit_loss(run.name, run.losses, fit).draw(count, rng)
    return Series(_logged(seconds, run), losses)


def _trend(run: RealRun) -> np.ndarray:
    """The smooth line through the losses (n,); NaN without losses."""
    known = np.isfinite(run.losses)
    if not run.has_losses:
        return np.full(len(known), np.nan)
    places = np.arange(len(known))
    return trend(np.interp(places, places[known], run.losses[known]))


def _logged(seconds: np.ndarray, run: RealRun) -> np.ndarray:
    """Round to the unit in which the run's log counts the time between two records."""
    unit = log_unit(run)
    return np.round(seconds / unit) * unit


def log_unit(run: RealRun) -> float:
    """The largest decimal unit of which all times between two records are multiples, per step."""
    times = run.seconds * run.steps_covered
    for digits in range(DIGITS):
        counts = times * 10.0**digits
        if np.abs(counts - np.round(counts)).max() < 1e-3:
            return 10.0**-digits / run.steps_covered
    return 10.0**-DIGITS / run.steps_covered

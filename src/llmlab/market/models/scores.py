"""Score probabilities relative to the climatology of the training rows.

A gain is the log loss of always answering the base rate of the training rows, minus that of the
model, in nats per day. Horizons longer than one day overlap and volatility clusters, so intervals
and tests allow for dependence in time.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import statsmodels.api as sm
from arch.bootstrap import MCS, SPA, StationaryBootstrap
from numpy.typing import NDArray

Array = NDArray[np.float64]

SMALLEST = 1e-6
"""Lower bound of any answer's probability, so that one mistake cannot dominate the loss."""
BLOCK_DAYS = 20
RESAMPLES = 500
"""Trading days in a block, about a month, and bootstrap resamples."""


def log_losses(probability_M: Array, y_M: Array) -> Array:
    """Log loss of each sample, in nats."""
    p_M = np.clip(probability_M, SMALLEST, 1 - SMALLEST)
    return -np.where(y_M > 0.5, np.log(p_M), np.log1p(-p_M))


@dataclass(frozen=True)
class Score:
    """The score of one model on one chunk of test days.

    Attributes:
        log_loss: in nats per day.
        gain_M: log loss of the climatology minus that of the model, day by day.
        brier_skill: 1 minus the ratio of the Brier score to that of the climatology.
        diebold_mariano: mean gain over its standard error, which allows for overlapping horizons
            (Diebold and Mariano 1995); above 1.96 the gain is significant at 5 %.
    """

    log_loss: float
    gain_M: Array
    brier_skill: float
    diebold_mariano: float

    @property
    def gain(self) -> float:
        return float(self.gain_M.mean())


def score(probability_M: Array, y_M: Array, base_rate: float, horizon: int) -> Score:
    """Score probabilities; `base_rate` is the share of ones in the training rows."""
    y_M = np.asarray(y_M, dtype=float)
    climatology_M = np.full_like(y_M, base_rate)
    losses_M = log_losses(probability_M, y_M)
    gain_M = log_losses(climatology_M, y_M) - losses_M
    brier = np.mean((probability_M - y_M) ** 2) / np.mean((climatology_M - y_M) ** 2)
    return Score(float(losses_M.mean()), gain_M, float(1 - brier), diebold_mariano(gain_M, horizon))


def diebold_mariano(gain_M: Array, horizon: int) -> float:
    """The statistic, with Newey and West's error over `horizon - 1` lags; 0 without any gain."""
    if not np.any(gain_M):
        return 0.0
    lags = {"maxlags": horizon - 1, "use_correction": True}
    fit = sm.OLS(gain_M, np.ones(len(gain_M))).fit(cov_type="HAC", cov_kwds=lags)
    return float(fit.tvalues[0]) if fit.bse[0] > 0 else 0.0


def block_interval(gain_M: Array, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Interval of the mean gain, by a stationary bootstrap with blocks of `BLOCK_DAYS`."""
    bootstrap = StationaryBootstrap(BLOCK_DAYS, gain_M, seed=seed)
    low, high = bootstrap.conf_int(np.mean, RESAMPLES, method="percentile", size=level).ravel()
    return float(low), float(high)


@dataclass(frozen=True)
class Contest:
    """A comparison of all models at once.

    Attributes:
        spa_p: p value of "no model beats the climatology" (Hansen 2005, consistent).
        confidence_set: models that may be the best, possibly the climatology, with their p values
            (Hansen, Lunde and Nason 2011).
    """

    spa_p: float
    confidence_set: Mapping[str, float]


def contest(gains: pd.DataFrame, block: int, seed: int = 0) -> Contest:
    """Compare models by their gains: one row per period, in order, and one column per model.

    A model that never gains or loses anything is the climatology, not a rival of it.

    Args:
        block: length of a bootstrap block, in periods.
    """
    losses = -gains.loc[:, gains.any()]
    nothing = np.zeros(len(gains))
    spa = SPA(nothing, losses.to_numpy(), block_size=block, reps=RESAMPLES, seed=seed)
    spa.compute()
    mcs = MCS(losses.assign(climatology=nothing), 0.05, RESAMPLES, block, seed=seed)
    mcs.compute()
    p_values = mcs.pvalues["Pvalue"]
    names = mcs.included
    return Contest(
        float(spa.pvalues["consistent"]), {name: float(p_values[name]) for name in names}
    )

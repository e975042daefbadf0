"""Noise with any distribution and any short memory, fitted to a series and drawn again.

A Gaussian copula (NORTA: Cario and Nelson 1997, "Modeling and generating random vectors with
arbitrary marginal distributions and correlation matrix"): the ranks of a series become normal
scores, an autoregression models their correlation in time, and the quantiles of the series turn new
scores into new values. Heavy tails and autocorrelation thus both come from the data.
"""

from dataclasses import dataclass

import numpy as np
import scipy
from scipy.special import ndtr, ndtri

ORDER = 8
"""Order of the autoregression."""
KNOTS = 129
"""Number of quantiles that represent a distribution."""


@dataclass(frozen=True)
class Noise:
    """A stationary series.

    Attributes:
        quantiles: quantiles of its values, at equal steps from 0 to 1.
        memory: coefficients of the autoregression of the normal scores, lag 1 first.
        innovation: standard deviation of the autoregression's innovations.
    """

    quantiles: np.ndarray
    memory: np.ndarray
    innovation: float

    def draw(self, length: int, rng: np.random.Generator) -> np.ndarray:
        """Draw a new series (length,)."""
        warm_up = 8 * len(self.memory)
        shocks = self.innovation * rng.standard_normal(length + warm_up)
        lags = np.concatenate([[1.0], -self.memory])  # scipy.signal would take a second to import
        bands = np.repeat(lags[:, None], len(shocks), axis=1)
        scores = scipy.linalg.solve_banded((len(self.memory), 0), bands, shocks)[warm_up:]
        places = ndtr(scores) * (len(self.quantiles) - 1)
        return np.interp(places, np.arange(len(self.quantiles)), self.quantiles)


def fit_noise(values: np.ndarray) -> Noise:
    """Fit noise to `values` (n,), at least `FEWEST` of them."""
    scores = normal_scores(values)
    order = min(ORDER, len(values) // 16)
    correlations = autocorrelation(scores, order)
    memory = scipy.linalg.solve_toeplitz(correlations[:-1], correlations[1:])
    memory *= min(1.0, 0.98 / max(np.abs(np.roots([1.0, *-memory])).max(), 1e-9)) ** np.arange(
        1, order + 1
    )
    explained = float(memory @ correlations[1:])
    return Noise(
        quantiles=np.quantile(values, np.linspace(0, 1, KNOTS)),
        memory=memory,
        innovation=float(np.sqrt(max(1 - explained, 0.02))),
    )


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Standard normal scores with the ranks of `values`; ties keep their order in time."""
    ranks = np.empty(len(values))
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return ndtri((ranks + 0.5) / len(values))


def autocorrelation(values: np.ndarray, lags: int) -> np.ndarray:
    """Autocorrelation at lags 0 to `lags`, (lags + 1,); 0 beyond lag 0 for a constant."""
    centred = values - values.mean()
    power = float(centred @ centred)
    if power == 0:
        return np.eye(lags + 1)[0]
    products = [centred[: len(centred) - lag] @ centred[lag:] for lag in range(lags + 1)]
    return np.array(products) / power

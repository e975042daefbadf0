"""The level and scatter of the loss of real runs.

The level is Chinchilla's law; the scatter around a run's own trend is fitted to real losses.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy  # loads scipy.ndimage, half a second, only where it is used

from llmlab.cluster.dynamics.pieces import FEWEST, fit_pieces
from llmlab.cluster.dynamics.steps import Fit, Series

IRREDUCIBLE, A, ALPHA, B, BETA = 1.8172, 482.01, 0.3478, 2085.43, 0.3658
"""Besiroglu et al. 2024 (arXiv:2404.10102), table 1: their fit to Chinchilla's runs."""
TREND = 0.04
"""Width of the trend's filter, as a share of the run."""


def chinchilla(parameters: float, tokens: np.ndarray) -> np.ndarray:
    """Loss in nats per token by Hoffmann et al. 2022 (arXiv:2203.15556), equation 2."""
    return IRREDUCIBLE + A / parameters**ALPHA + B / tokens**BETA


def early_loss(parameters: float, tokens: np.ndarray, vocab: int, warm_up: float) -> np.ndarray:
    """Chinchilla's law, starting at the loss of a uniform guess, with a transition over `warm_up`
    tokens.
    """
    guess = math.log(vocab)
    level = chinchilla(parameters, tokens + warm_up)
    left = np.exp(-3 * tokens / warm_up)
    return level + (guess - level) * left


@dataclass(frozen=True)
class LossDynamics:
    """Scatter of the loss around its trend, relative to the loss."""

    run: str
    noise: Series

    def draw(self, length: int, rng: np.random.Generator) -> np.ndarray:
        """Draw factors (length,) on the trend."""
        return 1 + self.noise.draw(length, rng)


def fit_loss(run: str, losses: np.ndarray, fit: Fit = fit_pieces) -> LossDynamics:
    """Fit the scatter of one run's losses (n,).

    Raises:
        ValueError: there are fewer losses than a fit needs.
    """
    known = losses[np.isfinite(losses)]
    if len(known) < 2 * FEWEST:
        raise ValueError(f"{run} has {len(known)} losses, a fit needs {2 * FEWEST}")
    residual = known / trend(known) - 1
    return LossDynamics(run, fit(residual))


def trend(losses: np.ndarray) -> np.ndarray:
    """A smooth line (n,) through losses (n,)."""
    return scipy.ndimage.gaussian_filter1d(losses, max(2.0, TREND * len(losses)), mode="nearest")

"""The law L = E + A / N^alpha + B / D^beta, and the objective of its fit.

Hoffmann et al. 2022 (2203.15556, section 3.3): the logarithm of the loss is predicted as the
log-sum-exp of the terms, and the Huber loss of the residuals is summed over the runs.

Shapes in names: S problems solved in parallel (starts, resamples), M runs, T terms, P = 1 + 2T
parameters: log E, then for each term the log of its coefficient and its exponent.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HUBER_DELTA = 1e-3
"""Residuals of the log loss above it count linearly (Hoffmann et al. 2022, section 3.3)."""

SYMBOLS = {"params": ("A", "alpha"), "tokens": ("B", "beta")}
"""Coefficient and exponent of the term of each size."""


@dataclass(frozen=True)
class Runs:
    """The runs to fit a law to.

    Attributes:
        sizes: for "params", "tokens" or both, a positive number for each run.
        loss_M: the loss of each run, positive.
    """

    sizes: dict[str, Array]
    loss_M: Array

    def __len__(self) -> int:
        return len(self.loss_M)

    @cached_property
    def x_TM(self) -> Array:
        """Centred logarithms of the sizes, which make the parameters nearly independent."""
        logs_TM = np.log(np.reshape([*self.sizes.values()], (len(self.sizes), len(self))))
        return logs_TM - logs_TM.mean(axis=1, keepdims=True)

    @cached_property
    def y_M(self) -> Array:
        return np.log(self.loss_M)

    def only(self, *names: str) -> "Runs":
        """The same runs with only these sizes."""
        return Runs({name: self.sizes[name] for name in names}, self.loss_M)

    def plain(self, theta_SP: Array) -> dict[str, Array]:
        """E, A, alpha, B, beta for the uncentred sizes, each of shape [S]."""
        found = {"E": np.exp(theta_SP[:, 0])}
        for term, (name, size_M) in enumerate(self.sizes.items()):
            coefficient, exponent = SYMBOLS[name]
            log_S, exponent_S = theta_SP[:, 1 + 2 * term], theta_SP[:, 2 + 2 * term]
            found[coefficient] = np.exp(log_S + exponent_S * np.log(size_M).mean())
            found[exponent] = exponent_S
        return found


def residuals(theta_SP: Array, x_TM: Array, y_SM: Array) -> tuple[Array, Array]:
    """Predicted minus measured log loss [S, M], and each term's share of the loss [S, 1 + T, M].

    `y_SM` may be [1, M], shared by all problems.
    """
    S, (T, M) = len(theta_SP), x_TM.shape
    terms_SKM = np.empty((S, 1 + T, M))
    terms_SKM[:, 0] = theta_SP[:, :1]
    np.multiply(theta_SP[:, 2::2, None], -x_TM, out=terms_SKM[:, 1:])
    terms_SKM[:, 1:] += theta_SP[:, 1::2, None]
    np.exp(terms_SKM, out=terms_SKM)
    loss_SM = terms_SKM.sum(axis=1)
    terms_SKM /= loss_SM[:, None]
    return np.log(loss_SM) - y_SM, terms_SKM


@dataclass(frozen=True)
class Objective:
    """The sum of Huber losses over the runs, for S problems at once.

    Attributes:
        x_TM: shared by all problems.
        y_SM: [1, M] or one row per problem.
        weights_SM: how often each run counts; [1, M] or one row per problem.
    """

    x_TM: Array
    y_SM: Array
    weights_SM: Array

    @classmethod
    def of(cls, runs: Runs, weights_SM: Array | None = None) -> "Objective":
        """The objective of the runs; each counts once, or `weights_SM` times."""
        counts_SM = np.ones((1, len(runs))) if weights_SM is None else weights_SM
        return cls(runs.x_TM, runs.y_M[None], counts_SM)

    def at(self, problems: Array) -> "Objective":
        """Some of the problems, by their indices."""
        y_SM, weights_SM = (
            rows if len(rows) == 1 else rows[problems] for rows in (self.y_SM, self.weights_SM)
        )
        return Objective(self.x_TM, y_SM, weights_SM)

    def __call__(self, theta_SP: Array) -> tuple[Array, Array]:
        """Values [S] and gradients [S, P]; not finite if a step went much too far."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self._value_and_gradient(theta_SP)

    def _value_and_gradient(self, theta_SP: Array) -> tuple[Array, Array]:
        r_SM, shares_SKM = residuals(theta_SP, self.x_TM, self.y_SM)
        slope_SM = np.clip(r_SM, -HUBER_DELTA, HUBER_DELTA)
        value_S = (self.weights_SM * slope_SM * (r_SM - slope_SM / 2)).sum(axis=1)
        pull_SKM = (self.weights_SM * slope_SM)[:, None] * shares_SKM
        gradient_SP = np.empty_like(theta_SP)
        gradient_SP[:, 0] = pull_SKM[:, 0].sum(axis=1)
        gradient_SP[:, 1::2] = pull_SKM[:, 1:].sum(axis=2)
        gradient_SP[:, 2::2] = -np.einsum("stm,tm->st", pull_SKM[:, 1:], self.x_TM)
        return value_S, gradient_SP

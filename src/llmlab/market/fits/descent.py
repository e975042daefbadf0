"""L-BFGS (Liu and Nocedal 1989) for many small problems at once, each with its own step length.

Scipy's takes one problem at a time; a bootstrap has hundreds, of five parameters each.
"""

from collections import deque
from typing import Protocol

import numpy as np

from llmlab.market.fits.law import Array

MEMORY = 6
"""Number of past steps used for the curvature."""
ROUND = 20
"""Steps between two checks for solved problems."""
FIRST_STEP = 0.1
"""Length of the first step, in the units of the parameters."""
SUFFICIENT = 1e-4
"""Share of the decrease predicted by the slope that a step must achieve (Armijo's rule)."""
SHORTEST = 2.0**-12
"""Shortest step tried."""


class Problems(Protocol):
    """A function of S problems: values [S] and gradients [S, P] for parameters [S, P]."""

    def __call__(self, theta_SP: Array) -> tuple[Array, Array]: ...

    def at(self, problems: Array) -> "Problems":
        """Some of the problems, by their indices."""
        ...


def minimise(
    problems: Problems, start_SP: Array, *, rounds: int = 20, tolerance: float = 1e-9
) -> tuple[Array, Array]:
    """Minimise all problems; returns the minima [S, P] and the values there [S].

    A problem ends after a round of `ROUND` steps that lowers its value by less than the share
    `tolerance`. Each round starts without curvature information.
    """
    theta_SP, value_S = start_SP.copy(), problems(start_SP)[0]
    left_S = np.arange(len(start_SP))
    for _ in range(rounds):
        before_S = value_S[left_S]
        theta_SP[left_S], value_S[left_S] = _descend(problems.at(left_S), theta_SP[left_S])
        gain_S = before_S - value_S[left_S]
        left_S = left_S[gain_S > tolerance * before_S]
        if not len(left_S):
            break
    return theta_SP, value_S


def _descend(problems: Problems, theta_SP: Array) -> tuple[Array, Array]:
    """One round of steps on all problems; a problem that no step lowers pauses until the next."""
    value_S, gradient_SP = problems(theta_SP)
    moving_S = np.ones(len(theta_SP), dtype=bool)
    memory: Memory = deque(maxlen=MEMORY)
    for _ in range(ROUND):
        direction_SP = _direction(gradient_SP, memory) * moving_S[:, None]
        new_SP, value_S, new_gradient_SP = _search(
            problems, theta_SP, value_S, gradient_SP, direction_SP
        )
        moving_S &= (new_SP != theta_SP).any(axis=1)
        memory.append(_pair(new_SP - theta_SP, new_gradient_SP - gradient_SP))
        theta_SP, gradient_SP = new_SP, new_gradient_SP
    return theta_SP, value_S


Memory = deque[tuple[Array, Array, Array]]
"""Steps [S, P], changes of the gradient [S, P], and one over their product [S]."""


def _pair(step_SP: Array, change_SP: Array) -> tuple[Array, Array, Array]:
    """The curvature information of one step; zero if a problem did not move or lacks curvature."""
    product_S = (step_SP * change_SP).sum(axis=1)
    told_S = product_S > 1e-14 * (change_SP**2).sum(axis=1)
    return step_SP, change_SP, np.where(told_S, 1 / np.where(told_S, product_S, 1.0), 0.0)


def _direction(gradient_SP: Array, memory: Memory) -> Array:
    """The two-loop recursion (Nocedal and Wright 2006, algorithm 7.4)."""
    q_SP, alphas = -gradient_SP, []
    for step_SP, change_SP, inverse_S in reversed(memory):
        alpha_S = inverse_S * (step_SP * q_SP).sum(axis=1)
        q_SP = q_SP - alpha_S[:, None] * change_SP
        alphas.append(alpha_S)
    q_SP *= _scale(gradient_SP, memory)[:, None]
    for (step_SP, change_SP, inverse_S), alpha_S in zip(memory, reversed(alphas), strict=True):
        beta_S = inverse_S * (change_SP * q_SP).sum(axis=1)
        q_SP = q_SP + (alpha_S - beta_S)[:, None] * step_SP
    return q_SP


def _scale(gradient_SP: Array, memory: Memory) -> Array:
    """The initial scale of the direction; without curvature, a first step of `FIRST_STEP`."""
    length_S = np.sqrt((gradient_SP**2).sum(axis=1))
    scale_S = FIRST_STEP / np.maximum(length_S, 1e-300)
    for _, change_SP, inverse_S in memory:
        square_S = (change_SP**2).sum(axis=1)
        told_S = inverse_S > 0
        scale_S = np.where(told_S, 1 / np.where(told_S, inverse_S * square_S, 1.0), scale_S)
    return scale_S


def _search(
    problems: Problems, theta_SP: Array, value_S: Array, gradient_SP: Array, direction_SP: Array
) -> tuple[Array, Array, Array]:
    """Backtracking: the first of the steps 1, 1/2, 1/4, ... that lowers each value enough.

    A problem that no step lowers stays where it is.
    """
    slope_S = (gradient_SP * direction_SP).sum(axis=1)
    new_SP, new_value_S, new_gradient_SP = theta_SP.copy(), value_S.copy(), gradient_SP.copy()
    left_S, length = np.flatnonzero(slope_S < 0), 1.0
    while len(left_S) and length > SHORTEST:
        trial_SP = theta_SP[left_S] + length * direction_SP[left_S]
        trial_value_S, trial_gradient_SP = problems.at(left_S)(trial_SP)
        enough_S = trial_value_S <= value_S[left_S] + SUFFICIENT * length * slope_S[left_S]
        done_S = left_S[enough_S]
        new_SP[done_S], new_value_S[done_S] = trial_SP[enough_S], trial_value_S[enough_S]
        new_gradient_SP[done_S] = trial_gradient_SP[enough_S]
        left_S, length = left_S[~enough_S], length / 2
    return new_SP, new_value_S, new_gradient_SP

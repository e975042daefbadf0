from dataclasses import dataclass

import numpy as np
import pytest

from llmlab.market.fits.descent import minimise


@dataclass(frozen=True)
class Valleys:
    """Rosenbrock's function with its minimum at (c, c²) for each problem."""

    c_S: np.ndarray

    def __call__(self, theta_SP: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = theta_SP.T
        bend = y - x**2
        value = (self.c_S - x) ** 2 + 20 * bend**2
        return value, np.stack([-2 * (self.c_S - x) - 80 * x * bend, 40 * bend], axis=1)

    def at(self, problems: np.ndarray) -> "Valleys":
        return Valleys(self.c_S[problems])


def test_each_problem_reaches_its_own_minimum() -> None:
    c_S = np.array([0.5, 1.0, 2.0])
    theta_SP, value_S = minimise(Valleys(c_S), np.full((3, 2), -1.0), tolerance=1e-14)
    assert value_S.max() < 1e-9
    assert theta_SP == pytest.approx(np.stack([c_S, c_S**2], axis=1), abs=1e-4)


def test_a_start_at_the_minimum_stays_there() -> None:
    start = np.array([[1.0, 1.0]])
    assert minimise(Valleys(np.ones(1)), start)[0] == pytest.approx(start)


def test_a_problem_solved_beside_others_ends_where_it_does_alone() -> None:
    c_S, start_SP = np.array([0.3, 1.7]), np.array([[2.0, 2.0], [-1.0, 1.0]])
    together, _ = minimise(Valleys(c_S), start_SP)
    alone = [minimise(Valleys(c_S[[n]]), start_SP[[n]])[0][0] for n in (0, 1)]
    assert together == pytest.approx(np.array(alone))

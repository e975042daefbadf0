import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.market.fits.law import HUBER_DELTA, Objective, Runs, residuals

RUNS = Runs(
    {"params": np.array([1e6, 1e7, 1e8, 1e9]), "tokens": np.array([1e8, 3e9, 1e8, 1e10])},
    np.array([4.0, 3.0, 3.5, 2.5]),
)


def theta_of(runs: Runs, e: float, a: float, alpha: float, b: float, beta: float) -> np.ndarray:
    shifts = [np.log(size).mean() for size in runs.sizes.values()]
    return np.array(
        [[np.log(e), np.log(a) - alpha * shifts[0], alpha, np.log(b) - beta * shifts[1], beta]]
    )


def test_the_law_is_the_sum_of_its_terms() -> None:
    theta_1P = theta_of(RUNS, 1.7, 400, 0.34, 410, 0.28)
    predicted = 1.7 + 400 / RUNS.sizes["params"] ** 0.34 + 410 / RUNS.sizes["tokens"] ** 0.28
    left_1M, _ = residuals(theta_1P, RUNS.x_TM, RUNS.y_M[None])
    assert np.exp(left_1M[0] + RUNS.y_M) == pytest.approx(predicted)


def test_parameters_come_back_in_the_units_of_the_sizes() -> None:
    found = RUNS.plain(theta_of(RUNS, 1.7, 400, 0.34, 410, 0.28))
    assert {name: float(value[0]) for name, value in found.items()} == pytest.approx(
        {"E": 1.7, "A": 400, "alpha": 0.34, "B": 410, "beta": 0.28}
    )


@given(st.lists(st.floats(-1, 1), min_size=5, max_size=5))
def test_the_gradient_is_that_of_the_value(theta: list[float]) -> None:
    objective, theta_1P, width = Objective.of(RUNS), np.array([theta]), 1e-6
    _, gradient_1P = objective(theta_1P)
    for place in range(5):
        step = width * np.eye(5)[place]
        slope = (objective(theta_1P + step)[0] - objective(theta_1P - step)[0]) / (2 * width)
        assert gradient_1P[0, place] == pytest.approx(slope[0], rel=1e-4, abs=1e-8)


def test_a_small_residual_counts_by_its_square_and_a_large_one_by_its_size() -> None:
    flat = Runs({}, np.exp(np.array([0.0, HUBER_DELTA / 2, 1.0])))
    value, _ = Objective.of(flat)(np.zeros((1, 1)))
    assert value[0] == pytest.approx(
        (HUBER_DELTA / 2) ** 2 / 2 + HUBER_DELTA * (1.0 - HUBER_DELTA / 2)
    )


def test_a_run_that_is_drawn_twice_counts_twice() -> None:
    theta_1P = theta_of(RUNS, 2.0, 100, 0.3, 100, 0.3)
    alone = [Objective.of(RUNS, weight[None])(theta_1P)[0][0] for weight in np.eye(4)]
    twice = Objective.of(RUNS, np.array([[2.0, 0, 1, 1]]))(theta_1P)[0][0]
    assert twice == pytest.approx(2 * alone[0] + alone[2] + alone[3])

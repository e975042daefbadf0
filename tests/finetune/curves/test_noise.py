"""A synthetic problem whose noise scale is known: gradients G + N(0, S/n)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmlab.finetune.curves.noise import noise_scale

DIMENSIONS = 50


def norms(batch: int, scale: float, steps: int, seed: int) -> np.ndarray:
    """Norms of gradients with |G| = 1 and tr(S) = scale."""
    draw = np.random.default_rng([seed, batch])
    g = np.zeros(DIMENSIONS)
    g[0] = 1.0
    noise = draw.normal(0, np.sqrt(scale / DIMENSIONS / batch), (steps, DIMENSIONS))
    return np.linalg.norm(g + noise, axis=1)


@settings(max_examples=9)
@given(st.integers(0, 1000), st.sampled_from([5.0, 40.0, 200.0]))
def test_the_scale_of_a_known_problem_is_found(seed: int, scale: float) -> None:
    found = noise_scale(norms(4, scale, 400, seed), norms(64, scale, 400, seed), 4, 64)
    assert found.value == pytest.approx(scale, rel=0.35)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    scale, covered = 40.0, 0
    for seed in range(100):
        found = noise_scale(norms(4, scale, 60, seed), norms(64, scale, 60, seed), 4, 64)
        covered += found.low <= scale <= found.high
    assert covered >= 88


def test_a_gradient_without_noise_has_scale_zero() -> None:
    assert noise_scale([2.0, 2.0], [2.0, 2.0], 1, 8).value == pytest.approx(0)


def test_one_step_tells_nothing() -> None:
    with pytest.raises(ValueError, match="two steps"):
        noise_scale([1.0], [1.0], 1, 8)

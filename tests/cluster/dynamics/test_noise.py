"""Noise that is fitted to a series looks like it."""

import numpy as np
import pytest

from llmlab.cluster.dynamics.noise import autocorrelation, fit_noise, normal_scores
from llmlab.cluster.dynamics.steps import fit_steps


def skewed_series() -> np.ndarray:
    """Lognormal values with an autocorrelation."""
    rng = np.random.default_rng(0)
    scores = np.zeros(4000)
    for step in range(1, len(scores)):
        scores[step] = 0.7 * scores[step - 1] + rng.standard_normal()
    return np.exp(0.3 * scores)


def test_a_draw_has_the_distribution_and_the_memory_of_the_series() -> None:
    values = skewed_series()
    drawn = fit_noise(values).draw(20_000, np.random.default_rng(1))
    shares = [0.05, 0.5, 0.95]
    assert np.quantile(drawn, shares) == pytest.approx(np.quantile(values, shares), rel=0.1)
    assert autocorrelation(drawn, 1)[1] == pytest.approx(autocorrelation(values, 1)[1], abs=0.08)


def test_scores_keep_the_order() -> None:
    values = np.array([3.0, 1.0, 2.0])
    assert np.argsort(normal_scores(values)).tolist() == [1, 2, 0]


def test_a_constant_remembers_nothing() -> None:
    assert autocorrelation(np.ones(50), 3).tolist() == [1, 0, 0, 0]


def test_too_few_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="a fit needs 32"):
        fit_steps("short", np.ones(10), np.zeros(10))

"""Synthetic curves, whose truth is known."""

import numpy as np
from hypothesis import strategies as st

from llmlab.finetune.curves.curve import Curve

SEEDS = st.integers(0, 10_000)
STEPS = np.arange(400)


def noisy(values: np.ndarray, seed: int = 0, spread: float = 0.05) -> Curve:
    draw = np.random.default_rng(seed)
    return Curve.of(enumerate(values + draw.normal(0, spread, len(values))))


def power_law(steps: np.ndarray = STEPS) -> np.ndarray:
    """Steep at first, slow later, never flat."""
    return 1 + 8 * (1 + steps) ** -0.5


def elbow(at: int, steps: np.ndarray = STEPS) -> np.ndarray:
    """A straight fall from 5 to 2, then nothing."""
    return np.maximum(2.0, 5 - 3 * steps / at)

"""The gradient-noise scale from the curves of two gradient norms, with an interval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from llmlab.finetune.observe.noise_scale import gradient_noise

RESAMPLES = 2000


@dataclass(frozen=True)
class NoiseScale:
    """tr(Sigma) / |G|^2 in examples, over a stretch of training.

    Attributes:
        low, high: ends of the interval of the given level; infinite where the noise hides G.
        n: steps that it rests on.
    """

    value: float
    low: float
    high: float
    level: float
    n: int


def noise_scale(
    small: ArrayLike,
    big: ArrayLike,
    n_small: int,
    n_big: int,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> NoiseScale:
    """The noise scale from gradient norms at two batch sizes (1812.06162, appendix A.1).

    Both |G|^2 and tr(Sigma) are averaged over the steps before they are divided: each is unbiased,
    their ratio at a single step is not. The interval is a percentile bootstrap over the steps,
    which are taken as independent.

    Args:
        small, big: [steps] norms, not squared, of the gradients of `n_small` and `n_big` examples.

    Raises:
        ValueError: the norms are not of the same steps, there are fewer than two, or the small
            batch is not the smaller one.
    """
    squares = np.stack([np.asarray(small, float) ** 2, np.asarray(big, float) ** 2])
    n = squares.shape[1]
    if n < 2:
        raise ValueError("a noise scale needs the norms of two steps or more.")
    drawn = np.random.default_rng(seed).integers(0, n, size=(RESAMPLES, n))
    scales = [_scale(*means, n_small, n_big) for means in squares[:, drawn].mean(axis=2).T]
    ends = np.quantile(scales, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    value = _scale(*squares.mean(axis=1), n_small, n_big)
    return NoiseScale(value, float(ends[0]), float(ends[1]), level, n)


def _scale(small: float, big: float, n_small: int, n_big: int) -> float:
    return gradient_noise(float(small), float(big), n_small, n_big).scale

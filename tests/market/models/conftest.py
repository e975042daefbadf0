"""Parts with a planted answer, or with none."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from llmlab.market.samples.windows import Parts, Samples


def drawn(n: int, signal: float, seed: int) -> Samples:
    """Noise of 3 features over 8 days; the first one of the last day decides, by `signal`."""
    rng = np.random.default_rng(seed)
    x_MLF = rng.normal(size=(n, 8, 3)).astype(np.float32)
    p_M = 1 / (1 + np.exp(-signal * x_MLF[:, -1, 0]))
    return Samples(x_MLF, (rng.random(n) < p_M).astype(np.float32), np.arange(n))


@pytest.fixture
def draw_parts() -> Callable[[float], Parts]:
    torch.set_num_threads(1)
    return lambda signal: Parts(drawn(600, signal, 0), drawn(200, signal, 1), drawn(400, signal, 2))

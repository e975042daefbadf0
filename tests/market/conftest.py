from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from llmlab.market.bars.bars import Bars


def drawn_bars(n: int = 400, seed: int = 0, name: str = "drawn") -> Bars:
    """Bars of a random walk with ranges and volumes, business days from 2001 on."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
    open_ = close * np.exp(rng.normal(0, 0.005, n))
    frame = pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.004, n))),
            "low": np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.004, n))),
            "close": close,
            "volume": rng.integers(1_000, 9_000, n).astype(float),
        },
        index=pd.bdate_range("2001-01-01", periods=n, name="date"),
    )
    return Bars(name, frame, "drawn")


@pytest.fixture(scope="session")
def bars() -> Bars:
    return drawn_bars()


@pytest.fixture(scope="session")
def draw() -> Callable[..., Bars]:
    return drawn_bars

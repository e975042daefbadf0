"""A synthetic market with a known best attainable loss, as a positive control.

The size of each day's move is noise. Its direction is drawn with a probability that depends on
yesterday's move, and on yesterday's move times that of the week. Half of the signal is therefore
linear in the indicators, and half is an interaction that a linear model cannot capture.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from llmlab.market.bars.bars import Bars

Array = NDArray[np.float64]

DAILY = 0.01
"""Standard deviation of a day's log return."""
WEEK = 5
MEAN = 0.26
"""Mean of the raw signal, subtracted so that rises and falls are about equally common."""


@dataclass(frozen=True)
class KnownMarket:
    """Bars, with the true probability of each next move.

    Attributes:
        probability_R: that the close of the next day is higher, given all days up to this one.
    """

    bars: Bars
    probability_R: Array

    def expected_loss(self, answer_M: Array, rows: NDArray[np.int64]) -> float:
        """Expected log loss of answers on these days over all draws, in nats per day."""
        p_M = self.probability_R[rows]
        return float(-(p_M * np.log(answer_M) + (1 - p_M) * np.log1p(-answer_M)).mean())

    def lowest_loss(self, rows: NDArray[np.int64]) -> float:
        """The expected loss of the true probabilities, which is the lowest possible."""
        return self.expected_loss(self.probability_R[rows], rows)


def known_market(n: int, strength: float, seed: int) -> KnownMarket:
    """Generate a market of n days; at strength 0 no model can beat a coin flip.

    The probability of a rise is the logistic function of `strength` times a signal with mean 0 and
    a standard deviation of about 1.
    """
    rng = np.random.default_rng(seed)
    size_R = DAILY * np.abs(rng.normal(size=n))
    draw_R = rng.random(n)
    return_R, probability_R = np.zeros(n), np.full(n, 0.5)
    for day in range(n - 1):
        probability_R[day] = 1 / (1 + np.exp(-strength * signal(return_R[: day + 1])))
        return_R[day + 1] = size_R[day + 1] * (1 if draw_R[day] < probability_R[day] else -1)
    return KnownMarket(_bars(return_R, rng), probability_R)


def signal(returns: Array) -> float:
    """The signal of the last days about the next day."""
    if len(returns) < WEEK:
        return 0.0
    last = np.tanh(returns[-1] / DAILY)
    week = np.tanh(returns[-WEEK:].sum() / DAILY / WEEK**0.5)
    return float(-1.1 * last + 1.8 * last * week - MEAN)


def _bars(return_R: Array, rng: np.random.Generator) -> Bars:
    close = 100 * np.exp(np.cumsum(return_R))
    open_ = np.concatenate([[100.0], close[:-1]])
    spread = DAILY / 4 * np.abs(rng.normal(size=(2, len(close))))
    frame = pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, close) * np.exp(spread[0]),
            "low": np.minimum(open_, close) * np.exp(-spread[1]),
            "close": close,
            "volume": np.exp(rng.normal(10, 0.3, len(close))),
        },
        index=pd.bdate_range("1900-01-01", periods=len(close), name="date"),
    )
    return Bars("known", frame, "synthetic")

"""Baselines for the transformer: each predicts the probability of a rise for the test samples.

A baseline uses the last day of a window. Validation samples choose all hyperparameters.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llmlab.market.features.indicators import log_return
from llmlab.market.features.volatility import volatility
from llmlab.market.models.scores import log_losses
from llmlab.market.samples.windows import Parts, Samples

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

Array = NDArray[np.float64]
Predict = Callable[[Samples], Array]

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Inverse penalties of the logistic regressions tried."""

HAR = (
    *(log_return(days) for days in (1, 5, 22)),
    *(volatility(days) for days in (2, 5, 22)),
)
"""Returns and volatilities of a day, a week and a month (Corsi 2009, heterogeneous AR)."""


def constant(parts: Parts) -> Predict:
    """The base rate of the training samples."""
    rate = float(parts.train.y_M.mean())
    return lambda samples: np.full(len(samples), rate)


def logistic(parts: Parts) -> Predict:
    """Logistic regression on the last day."""
    from sklearn.linear_model import LogisticRegression  # a slow import that few runs need

    fitted = [
        LogisticRegression(C=strength, max_iter=500).fit(_last(parts.train), parts.train.y_M)
        for strength in STRENGTHS
    ]
    return _best(fitted, parts)


def boosting(parts: Parts, seed: int = 0) -> Predict:
    """Gradient boosting with small trees and a low rate, stopped early by validation samples."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_leaf_nodes=8,
        min_samples_leaf=40,
        max_iter=150,
        early_stopping=True,
        n_iter_no_change=10,
        random_state=seed,
    )
    model.fit(
        _last(parts.train),
        parts.train.y_M,
        X_val=_last(parts.validation),
        y_val=parts.validation.y_M,
    )
    return lambda samples: model.predict_proba(_last(samples))[:, 1]


def _best(models: Sequence["LogisticRegression"], parts: Parts) -> Predict:
    """The model with the lowest validation loss."""

    def loss(model: "LogisticRegression") -> float:
        p_M = model.predict_proba(_last(parts.validation))[:, 1]
        return float(log_losses(p_M, parts.validation.y_M).mean())

    best = min(models, key=loss)
    return lambda samples: best.predict_proba(_last(samples))[:, 1]


def _last(samples: Samples) -> NDArray[np.float32]:
    return samples.x_MLF[:, -1]

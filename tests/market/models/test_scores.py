import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp
from sklearn.metrics import brier_score_loss, log_loss

from llmlab.market.models.scores import (
    block_interval,
    contest,
    diebold_mariano,
    log_losses,
    score,
)

RNG = np.random.default_rng(0)
Y = (RNG.random(300) < 0.4).astype(float)
P = np.clip(0.4 + 0.2 * (Y - 0.4) + RNG.normal(0, 0.1, 300), 0.01, 0.99)


def test_scores_are_those_of_scikit_learn() -> None:
    found = score(P, Y, 0.4, 1)
    assert found.log_loss == pytest.approx(log_loss(Y, P))
    assert found.gain == pytest.approx(log_loss(Y, np.full(300, 0.4)) - log_loss(Y, P))
    climatology = brier_score_loss(Y, np.full(300, 0.4))
    assert found.brier_skill == pytest.approx(1 - brier_score_loss(Y, P) / climatology)


def test_the_base_rate_gains_nothing() -> None:
    found = score(np.full(300, 0.4), Y, 0.4, 5)
    assert (found.gain, found.brier_skill, found.diebold_mariano) == (0, 0, 0)


@given(st.floats(0, 1))
def test_a_loss_is_finite_however_wrong(p: float) -> None:
    assert np.isfinite(log_losses(np.array([p, p]), np.array([0.0, 1.0]))).all()


def test_without_overlap_diebold_mariano_is_a_t_test() -> None:
    gain = RNG.normal(0.1, 1, 200)
    assert diebold_mariano(gain, 1) == pytest.approx(ttest_1samp(gain, 0).statistic, rel=1e-6)


def test_overlapping_gains_count_less() -> None:
    steps = RNG.normal(0.3, 1, 400)
    overlapping = np.convolve(steps, np.ones(5) / 5, "valid")
    assert diebold_mariano(overlapping, 5) < 0.7 * diebold_mariano(overlapping, 1)


def test_an_interval_holds_the_mean_and_widens_with_dependence() -> None:
    steps = RNG.normal(0, 1, 600)
    runs = np.repeat(steps[:30], 20)
    low, high = block_interval(runs)
    assert low < runs.mean() < high
    naive_width = 2 * 1.96 * runs.std() / len(runs) ** 0.5
    assert high - low > 2 * naive_width


def test_a_contest_names_the_model_that_is_better() -> None:
    noise = RNG.normal(0, 1, (300, 2))
    found = contest(pd.DataFrame({"good": 0.5 + noise[:, 0], "none": noise[:, 1] - 0.1}), block=4)
    assert found.spa_p < 0.05
    assert list(found.confidence_set) == ["good"]


def test_a_model_that_never_gains_is_the_climatology() -> None:
    noise = RNG.normal(0, 1, 300)
    found = contest(pd.DataFrame({"one": noise, "still": 0.0}), block=4)
    assert found == contest(pd.DataFrame({"one": noise}), block=4)
    assert set(found.confidence_set) == {"one", "climatology"}


def test_a_contest_among_noise_has_no_winner() -> None:
    noise = RNG.normal(0, 1, (300, 2))
    found = contest(pd.DataFrame({"one": noise[:, 0], "other": noise[:, 1]}), block=4)
    assert found.spa_p > 0.05
    assert "climatology" in found.confidence_set

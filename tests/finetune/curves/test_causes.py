"""Curves drawn by hand in the shape of each cause."""

from dataclasses import replace

import numpy as np
import pytest

from llmlab.finetune.curves.causes import CAUSES, HEALTHY, RULES, Signs, name_cause, signs
from llmlab.finetune.curves.curve import Curve

STEPS = np.arange(200)
FALL = 0.3 + 8 / (1 + STEPS / 5) ** 1.2
PLAIN = Signs(
    diverged=False, rise=0.0, rebound=0.0, excess=0.0, halfway=0.05, plateau=1.0, level=0.05
)


def noisy(values: np.ndarray, seed: int) -> Curve:
    noise = np.random.default_rng(seed).normal(0, 0.02, len(values))
    return Curve.of(enumerate(values * (1 + noise)))


SHAPES = {
    "healthy": (FALL, FALL),
    "rate too high": (np.maximum(FALL, 1.6), np.maximum(FALL, 1.6)),
    "no warm-up": (FALL, FALL + 6 * ((STEPS > 0) & (STEPS < 8))),
    "tiny data": (FALL - 0.28, FALL + STEPS / 100),
    "label noise": (FALL + 0.5, FALL),
    "rate too low": (9 - STEPS / 50, 9 - STEPS / 50),
}


@pytest.mark.parametrize("cause", SHAPES)
@pytest.mark.parametrize("seed", range(5))
def test_a_shape_is_named_by_its_cause(cause: str, seed: int) -> None:
    training, validation = SHAPES[cause]
    found = signs(noisy(training, seed), noisy(validation, seed + 100))
    assert name_cause(found).cause == cause


def test_every_cause_has_a_shape_here() -> None:
    assert set(CAUSES) == set(SHAPES)


def test_a_loss_that_is_not_finite_comes_of_too_high_a_rate() -> None:
    training = Curve.of([*enumerate(FALL[:100]), (100, float("nan"))])
    validation = Curve.of(enumerate(FALL[:100]))
    assert name_cause(signs(training, validation)).cause == "rate too high"


def test_the_first_rule_that_fits_names_the_cause() -> None:
    both = replace(PLAIN, rebound=1.0, excess=1.0)
    assert name_cause(both).cause == "tiny data"


def test_without_a_sign_a_run_is_healthy() -> None:
    assert name_cause(PLAIN).cause == HEALTHY


def test_the_last_rule_always_fits() -> None:
    assert RULES[-1].fits(replace(PLAIN, excess=float("nan")))


def test_a_gap_that_closes_does_not_change_the_name() -> None:
    values = FALL.copy()
    values[[50, 120]] = np.nan
    training = noisy(values, 0)
    assert name_cause(signs(training, noisy(FALL, 1))).cause == HEALTHY


def test_overfitting_beyond_the_start_comes_of_tiny_data() -> None:
    found = signs(noisy(FALL - 0.28, 0), noisy(FALL + STEPS / 10, 1))
    assert not found.diverged
    assert name_cause(found).cause == "tiny data"

"""What a reader is warned of."""

from dataclasses import replace

import numpy as np
import pytest

from llmlab.market.fits.fitting import Fit, fit_law
from llmlab.market.fits.law import Runs
from llmlab.market.fits.report import print_fit, warnings

SIZES = np.geomspace(1e3, 1e8, 24)


def fit_of(loss_M: np.ndarray, spread: float, size_M: np.ndarray = SIZES) -> Fit:
    noise_M = np.random.default_rng(0).normal(0, spread, len(size_M))
    return fit_law(Runs({"params": size_M}, loss_M * np.exp(noise_M)), resamples=60)


@pytest.fixture(scope="module")
def clear() -> Fit:
    """A law from a loss of 3 down to its floor of 1."""
    return fit_of(1 + 40 / SIZES**0.43, spread=0.002)


def test_a_clear_law_needs_no_warning(clear: Fit) -> None:
    assert list(warnings(clear)) == []


def test_an_exponent_that_may_be_0_is_warned_of() -> None:
    said = " ".join(warnings(fit_of(np.full(24, 2.0), spread=0.05)))
    assert "alpha may be 0: its interval is" in said
    assert "do not show that the loss falls with params" in said


def test_a_floor_far_below_the_runs_is_warned_of() -> None:
    size_M = np.geomspace(1e3, 1e5, 24)
    said = " ".join(warnings(fit_of(0.1 + 40 / size_M**0.1, 0.03, size_M)))
    assert "The floor E is uncertain" in said


def test_few_runs_are_warned_of() -> None:
    size_M = SIZES[::3]
    assert "only 8 runs" in " ".join(warnings(fit_of(1 + 40 / size_M**0.43, 0.002, size_M)))


def test_an_optimum_that_few_starts_reach_is_warned_of(clear: Fit) -> None:
    lonely = replace(clear, optimum=replace(clear.optimum, reached=0.05))
    assert "Only 5% of the starts reached the optimum" in " ".join(warnings(lonely))


def test_the_share_of_starts_at_the_optimum_is_shown(clear: Fit, capsys) -> None:
    print_fit(clear)
    assert f"{clear.optimum.reached:.0%} of 160 starts reached the optimum" in " ".join(
        capsys.readouterr().out.split()
    )

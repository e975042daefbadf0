import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.curves.spikes import spikes
from tests.finetune.curves.synthetic import SEEDS, STEPS, noisy, power_law


def test_nearly_every_spike_of_half_that_height_is_found() -> None:
    draw = np.random.default_rng(0)
    places = draw.integers(3, 396, 200)
    found = 0
    for seed, at in enumerate(places):
        values = power_law()
        values[at] += 1.0
        found += at in {spike.step for spike in spikes(noisy(values, seed))}
    assert found >= 0.95 * len(places)


@given(SEEDS, st.integers(3, 395), st.floats(2.0, 20.0))
def test_a_spike_is_found_at_its_step_even_in_a_steep_fall(
    seed: int, at: int, height: float
) -> None:
    values = power_law()
    values[at] += height
    found = spikes(noisy(values, seed))
    assert at in {spike.step for spike in found}


@given(SEEDS)
def test_a_noisy_fall_has_no_spike(seed: int) -> None:
    assert spikes(noisy(power_law(), seed)) == ()


def test_a_spike_says_how_high_it_was_and_when_it_was_over() -> None:
    values = np.full(200, 2.0)
    values[100:105] = 6.0
    (found,) = spikes(noisy(values))
    assert (found.step, found.recovered_at) == (100, 105)
    assert found.peak - found.before == pytest.approx(4.0, abs=0.4)


def test_a_jump_for_good_never_recovers() -> None:
    (found,) = spikes(noisy(np.where(STEPS < 200, 2.0, 6.0)))
    assert found.recovered_at is None


def test_a_curve_of_one_point_has_no_spike() -> None:
    assert spikes(Curve.of([(0, 1.0)])) == ()

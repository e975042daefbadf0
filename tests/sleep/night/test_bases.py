"""Bases against what linear algebra says of them."""

import pytest
import torch

from llmlab.sleep.night.adapters import Factors, deltas, mean_of_factors, norm
from llmlab.sleep.night.bases import (
    directions_for,
    expected_shrinkage,
    explained,
    in_bases,
    null_of,
    random_bases,
    rebuilt_factors,
    shrinkage,
    stacked,
)
from llmlab.sleep.night.share import rebuilt
from tests.sleep.night.drawn import random_adapters


def columns(*values):
    """One adapter's factor whose centred columns have squared lengths in these proportions."""
    wide_OR = torch.diag(torch.tensor(values) ** 0.5)
    return torch.cat([wide_OR, -wide_OR], dim=1)[None]


def test_variance_is_told_by_the_squares_of_singular_values():
    torch.testing.assert_close(explained(columns(6.0, 3.0, 1.0))[:3], torch.tensor([0.6, 0.9, 1.0]))


@pytest.mark.parametrize(("variance", "count"), [(0.5, 1), (0.85, 2), (0.95, 3)])
def test_the_fewest_directions_that_hold_the_variance(variance, count):
    factor_OR = columns(6.0, 3.0, 1.0)[0]
    assert directions_for([{"layer": Factors(factor_OR, factor_OR.T)}], variance) == count


def test_random_directions_are_orthonormal_and_as_many_as_asked():
    basis = random_bases(random_adapters(1)[0], 3, seed=0)["layer"]
    torch.testing.assert_close(basis.out_OK.T @ basis.out_OK, torch.eye(3))
    torch.testing.assert_close(basis.in_IK.T @ basis.in_IK, torch.eye(3))


def test_a_basis_of_all_directions_keeps_everything():
    found = random_adapters(3)
    shared = in_bases(found, random_bases(found[0], 6, seed=0))
    for number, adapter in enumerate(found):
        torch.testing.assert_close(rebuilt(shared, number)["layer"], adapter["layer"].delta_OI)
        kept = rebuilt_factors(shared, number)["layer"]
        torch.testing.assert_close(kept.b_OR, adapter["layer"].b_OR)


def test_the_forecast_is_the_sum_over_all_pairs_of_factors():
    found, n = random_adapters(4), 4
    b_NOR, a_NIR = stacked(found, "layer")
    squares = sum((b_NOR[i] @ a_NIR[j].T).square().sum() for i in range(n) for j in range(n))
    mean = sum(norm(deltas(each)) for each in found) / n
    assert expected_shrinkage(found) == pytest.approx(float(squares) ** 0.5 / n**2 / mean)


def test_means_of_unrelated_factors_shrink_as_forecast():
    draws = [random_adapters(6, seed) for seed in range(60)]
    seen = sum(shrinkage(mean_of_factors(each), each) ** 2 for each in draws)
    forecast = sum(expected_shrinkage(each) ** 2 for each in draws)
    assert seen / forecast == pytest.approx(1.0, abs=0.1)


def test_noise_is_as_large_as_the_adapter_and_another_thing():
    (adapter,) = random_adapters(1)
    noise = null_of(adapter, seed=1)["layer"]
    assert float(noise.norm()) == pytest.approx(float(adapter["layer"].delta_OI.norm()))
    assert not torch.allclose(noise, adapter["layer"].delta_OI)

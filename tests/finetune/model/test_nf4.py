import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm
from torch import nn

from llmlab.finetune.model.nf4 import (
    OFFSET,
    dequantise_nf4,
    dynamic_levels,
    nf4_levels,
    quantise_nf4,
)
from llmlab.finetune.model.qlora import FourBit, dequantise, quantise
from llmlab.method.errors import LabError

WIDEST_GAP = np.diff(nf4_levels()).max()
BLOCK = 8
weights = arrays(
    np.float32,
    st.integers(1, 40),
    elements=st.floats(-1e3, 1e3, width=32).filter(lambda x: x == 0 or abs(x) > 1e-6),
).map(torch.from_numpy)


def quantised_layer() -> nn.Linear:
    return quantise(nn.Sequential(nn.Linear(64, 64)), FourBit())[0]


def round_trip(values: torch.Tensor, *, double: bool = False) -> torch.Tensor:
    return dequantise_nf4(quantise_nf4(values, BLOCK, double=double))


def test_the_levels_are_those_of_bitsandbytes() -> None:
    theirs = quantised_layer().weight.quant_state.code.tolist()
    assert nf4_levels() == pytest.approx(theirs, abs=1e-6)


def test_zero_and_both_ends_are_levels() -> None:
    levels = nf4_levels()
    assert (levels[0], levels[7], levels[15]) == (-1, 0, 1)


def test_neighbours_on_one_side_are_equally_likely_apart() -> None:
    """Between two levels lies the same share of the normal distribution, on each side of zero."""
    shares = np.diff(norm.cdf(np.array(nf4_levels()) * norm.ppf(OFFSET)))
    assert shares[:7] == pytest.approx(shares[0])
    assert shares[7:] == pytest.approx(shares[7])


def test_the_levels_of_scales_are_those_of_bitsandbytes() -> None:
    theirs = quantised_layer().weight.quant_state.state2.code.tolist()
    assert dynamic_levels() == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("shape", [(64, 64), (96, 130), (300, 48)])
@pytest.mark.parametrize("block_size", [64, 128])
def test_a_round_trip_gives_what_a_layer_of_bitsandbytes_computes_with(
    *, double: bool, shape: tuple[int, int], block_size: int
) -> None:
    n_out, n_in = shape
    torch.manual_seed(0)
    weights = torch.randn(shape) * 0.02
    layer = nn.Linear(n_in, n_out)
    layer.weight.data = weights.clone()
    theirs = quantise(nn.Sequential(layer), FourBit(double, block_size))[0]
    ours = dequantise_nf4(quantise_nf4(weights, block_size, double=double))
    torch.testing.assert_close(ours, dequantise(theirs), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("double", "bits"), [(False, 4.5), (True, 4.127)])
def test_the_bits_of_a_weight_are_the_papers(*, double: bool, bits: float) -> None:
    quantised = quantise_nf4(torch.randn(1024, 1024), double=double)
    assert quantised.bits_per_weight() == pytest.approx(bits, abs=1e-3)


@settings(deadline=None)
@given(weights)
def test_the_error_is_at_most_half_the_widest_gap_of_the_blocks_largest(
    values: torch.Tensor,
) -> None:
    for block, rebuilt in zip(values.split(BLOCK), round_trip(values).split(BLOCK), strict=True):
        bound = WIDEST_GAP / 2 * block.abs().max() * (1 + 1e-5)
        assert (rebuilt - block).abs().max() <= bound


@settings(deadline=None)
@given(weights)
def test_the_largest_of_a_block_keeps_its_size(values: torch.Tensor) -> None:
    for block, rebuilt in zip(values.split(BLOCK), round_trip(values).split(BLOCK), strict=True):
        torch.testing.assert_close(rebuilt.abs().max(), block.abs().max())


@settings(deadline=None)
@given(weights)
def test_quantising_twice_changes_nothing_more(values: torch.Tensor) -> None:
    once = round_trip(values)
    torch.testing.assert_close(round_trip(once), once)


@settings(deadline=None)
@given(weights, st.integers(-8, 8))
def test_the_unit_of_the_weights_does_not_matter(values: torch.Tensor, exponent: int) -> None:
    scale = 2.0**exponent
    torch.testing.assert_close(round_trip(scale * values), scale * round_trip(values))


@settings(deadline=None)
@given(weights)
def test_double_quantisation_moves_a_scale_by_little(values: torch.Tensor) -> None:
    """By at most half the widest gap of the 8-bit levels, in units of the largest deviation."""
    quantised = quantise_nf4(values, BLOCK, double=True)
    exact_K, kept_K = quantised.blocks.scales_K, quantised.double_scales.values()
    largest = (exact_K - exact_K.mean()).abs().max()
    bound = np.diff(dynamic_levels()).max() / 2 * largest + 1e-5 * exact_K.max()
    assert (kept_K - exact_K).abs().max() <= bound


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(wrong: float) -> None:
    with pytest.raises(LabError, match="cannot be quantised"):
        quantise_nf4(torch.tensor([0.0, wrong]))

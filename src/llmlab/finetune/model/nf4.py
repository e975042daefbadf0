"""NF4 from first principles (Dettmers et al. 2023, arXiv 2305.14314, section 3 and appendix E).

Sixteen levels lie where a normal distribution has its weights, closest where there are most. A
block of weights is scaled by its largest one, so that it fills the levels, and each weight becomes
the number of the nearest level. Double quantisation does the same to the blocks' scales, in 8 bits.

The lab trains with the fast kernels of bitsandbytes; this is the same to read, and its numbers
agree with theirs.

Shapes in names: L levels, K blocks, W weights of a block, G groups of blocks.
"""

import itertools
import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy  # loads scipy.stats, which takes a second, only where it is used
import torch
from torch import Tensor
from torch.nn import functional as F

from llmlab.method.errors import LabError

OFFSET = 0.9677083
"""Quantile of the outermost level, from the authors' code; the quantile 1 lies at infinity."""
GROUP_SIZE = 256
"""Scales that are quantised together."""


@cache
def nf4_levels() -> tuple[float, ...]:
    """The 16 levels of NF4: 7 below zero, zero, and 8 above; the outermost are -1 and 1."""
    above = scipy.stats.norm.ppf(np.linspace(OFFSET, 0.5, 9)[:-1]) / scipy.stats.norm.ppf(OFFSET)
    below = -scipy.stats.norm.ppf(np.linspace(OFFSET, 0.5, 8)[:-1]) / scipy.stats.norm.ppf(OFFSET)
    return tuple(map(float, (*below, 0.0, *reversed(above))))


@cache
def dynamic_levels() -> tuple[float, ...]:
    """The 256 levels of the 8-bit dynamic data type (Dettmers 2015, arXiv 1511.04561).

    Of seven decades, from a millionth up to one, each has twice the levels of the one below it, at
    the centres of even steps from a tenth of the decade to all of it; zero and one are added.
    """
    sizes = [
        10.0 ** (decade - 6) * (low + high) / 2
        for decade in range(7)
        for low, high in itertools.pairwise(np.linspace(0.1, 1, 2**decade + 1))
    ]
    return tuple(sorted(map(float, (*sizes, *(-size for size in sizes), 0.0, 1.0))))


@dataclass(frozen=True)
class Blocks:
    """Numbers as levels, in blocks that are scaled by their largest absolute number.

    Attributes:
        numbers_KW: which level each number has; the last block is filled up with zeros.
        scales_K: what a level of 1 stands for in each block.
        levels_L: the levels, rising from -1 or a little above it to 1.
        count: how many numbers there are, the filling apart.
    """

    numbers_KW: Tensor
    scales_K: Tensor
    levels_L: Tensor
    count: int

    @classmethod
    def of(cls, values: Tensor, levels: tuple[float, ...], block_size: int) -> "Blocks":
        """Every value at its nearest level.

        Raises:
            LabError: a value is not finite.
        """
        if not values.isfinite().all():
            raise LabError(
                "numbers that are infinite or not a number cannot be quantised: "
                "go back to weights from before the training diverged."
            )
        n_blocks = math.ceil(values.numel() / block_size)
        filling = n_blocks * block_size - values.numel()
        values_KW = F.pad(values.flatten().float(), (0, filling)).view(n_blocks, block_size)
        scales_K = values_KW.abs().amax(dim=1)
        scaled_KW = values_KW / scales_K.clamp(min=torch.finfo(torch.float32).tiny)[:, None]
        levels_L = torch.tensor(levels)
        borders = (levels_L[1:] + levels_L[:-1]) / 2
        numbers_KW = torch.bucketize(scaled_KW, borders).to(torch.uint8)
        return cls(numbers_KW, scales_K, levels_L, values.numel())

    def values(self) -> Tensor:
        """What the levels stand for, shape [count]."""
        values_KW = self.levels_L[self.numbers_KW.long()] * self.scales_K[:, None]
        return values_KW.flatten()[: self.count]


@dataclass(frozen=True)
class DoubleScales:
    """Scales of blocks in 8 bits each, as deviations from their mean."""

    deviations: Blocks
    mean: Tensor

    @classmethod
    def of(cls, scales_K: Tensor) -> "DoubleScales":
        mean = scales_K.mean()
        return cls(Blocks.of(scales_K - mean, dynamic_levels(), GROUP_SIZE), mean)

    def values(self) -> Tensor:
        """The scales, shape [K]."""
        return self.deviations.values() + self.mean

    def bits(self) -> int:
        return 8 * self.deviations.count + 32 * (len(self.deviations.scales_K) + 1)


@dataclass(frozen=True)
class Nf4:
    """A tensor in four bits for each of its numbers.

    Attributes:
        blocks: the numbers, with the exact scales of their blocks.
        double_scales: the scales that are kept in their place under double quantisation.
        shape: of the tensor.
    """

    blocks: Blocks
    double_scales: DoubleScales | None
    shape: torch.Size

    def bits_per_weight(self) -> float:
        """Four, and the block scales' share."""
        scales = self.double_scales
        scale_bits = 32 * len(self.blocks.scales_K) if scales is None else scales.bits()
        return 4 + scale_bits / self.blocks.count


def quantise_nf4(weights: Tensor, block_size: int = 64, *, double: bool = False) -> Nf4:
    """A tensor of any shape in NF4, row by row in blocks of `block_size`.

    Args:
        double: keep the blocks' scales in 8 bits.

    Raises:
        LabError: a weight is not finite.
    """
    blocks = Blocks.of(weights, nf4_levels(), block_size)
    return Nf4(blocks, DoubleScales.of(blocks.scales_K) if double else None, weights.shape)


def dequantise_nf4(quantised: Nf4) -> Tensor:
    """The weights that a layer computes with, in their old shape."""
    blocks, scales = quantised.blocks, quantised.double_scales
    if scales is not None:
        blocks = Blocks(blocks.numbers_KW, scales.values(), blocks.levels_L, blocks.count)
    return blocks.values().view(quantised.shape)

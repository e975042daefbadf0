"""Adapters drawn at random."""

import torch

from llmlab.sleep.night.adapters import Factors


def random_adapters(n: int, seed: int = 0) -> list[dict[str, Factors]]:
    """`n` adapters of rank 2, each of one layer from 5 to 6 values."""
    random = torch.Generator().manual_seed(seed)
    return [
        {"layer": Factors(torch.randn(6, 2, generator=random), torch.randn(2, 5, generator=random))}
        for _ in range(n)
    ]

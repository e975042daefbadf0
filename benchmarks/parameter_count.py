"""How long parameters take to count: the formula, beside the module that PyTorch builds.

The peer has no memory for its weights (device "meta"), or two billion would not fit. Both count the
most usual shape of each budget of the market lab.
"""

import time

import torch
from report import save

from llmlab.market.models.architecture import Architecture, within_budget
from llmlab.market.models.transformer import MarketTransformer
from llmlab.market.options import read_budget

BUDGETS = ("2k", "20k", "2M", "20M", "200M", "2B")
N_FEATURES = 20


def by_module(shape: Architecture) -> int:
    """The weights of the module, summed."""
    with torch.device("meta"):
        return sum(weight.numel() for weight in MarketTransformer(shape).parameters())


def counted(budget: str) -> dict[str, float]:
    """Shapes within a budget, and the count of the first by either way."""
    began = time.perf_counter()
    shapes = within_budget(Architecture(N_FEATURES), read_budget(budget))
    after_grid = time.perf_counter()
    ours = shapes[0].n_parameters
    after_ours = time.perf_counter()
    peer = by_module(shapes[0])
    after_peer = time.perf_counter()
    return {
        "shapes": len(shapes),
        "count": ours,
        "torch_count": peer,
        "off_percent": round(100 * abs(ours / read_budget(budget) - 1), 3),
        "grid_ms": round(1e3 * (after_grid - began), 1),
        "count_us": round(1e6 * (after_ours - after_grid), 1),
        "torch_us": round(1e6 * (after_peer - after_ours), 1),
    }


if __name__ == "__main__":
    counted(BUDGETS[0])  # what is loaded at the first call
    save("parameter_count", {budget: counted(budget) for budget in BUDGETS})

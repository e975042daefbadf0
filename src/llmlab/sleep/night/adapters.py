"""Adapters as tensors: taken from a model, merged in many ways, and added to its weights.

They live in the memory of the CPU, wherever their model is.

Shapes in names: O width out, I width in, R rank, N adapters, K directions of a shared basis.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from llmlab.finetune.model.adapters import lora_layers


@dataclass(frozen=True)
class Factors:
    """One layer's detour, ΔW = B·A with the scale inside B.

    Attributes:
        b_OR, a_RI: its two factors, defined only up to an invertible R x R matrix between them.
    """

    b_OR: Tensor
    a_RI: Tensor

    @property
    def delta_OI(self) -> Tensor:
        return self.b_OR @ self.a_RI

    def cpu(self) -> "Factors":
        return Factors(self.b_OR.cpu(), self.a_RI.cpu())


Adapter = Mapping[str, Factors]
"""Factors by the path of their layer."""
Deltas = Mapping[str, Tensor]
"""What is added to each layer's weight, [O, I], by path."""


def adapter_of(model: nn.Module) -> Adapter:
    """The adapter that `model` carries."""
    return {
        path: Factors(layer.scale * layer.b_RO.detach().T, layer.a_RI.detach().clone()).cpu()
        for path, layer in lora_layers(model)
    }


def with_deltas(model: nn.Module, deltas: Deltas) -> nn.Module:
    """A copy of `model` with the changes added to its weights."""
    changed = copy.deepcopy(model)
    with torch.no_grad():
        for path, delta_OI in deltas.items():
            weight_OI = changed.get_submodule(path).weight
            weight_OI += delta_OI.to(weight_OI.device)
    return changed


def deltas(adapter: Adapter) -> Deltas:
    return {path: factors.delta_OI for path, factors in adapter.items()}


def mean_of_deltas(adapters: Sequence[Adapter]) -> Deltas:
    """The mean of ΔW, which does not depend on how each is factored."""
    return {
        path: torch.stack([adapter[path].delta_OI for adapter in adapters]).mean(0)
        for path in adapters[0]
    }


def mean_of_factors(adapters: Sequence[Adapter]) -> Deltas:
    """The product of the mean of B and the mean of A.

    Adapters from different starts have unrelated factors, so the product keeps about 1/N of ΔW.
    """
    return {
        path: _mean([adapter[path].b_OR for adapter in adapters])
        @ _mean([adapter[path].a_RI for adapter in adapters])
        for path in adapters[0]
    }


def ties(adapters: Sequence[Adapter], density: float) -> Deltas:
    """Trim, elect a sign by mass, mean of those that agree (TIES, 2306.01708, algorithm 1)."""
    return {path: _ties(_stacked(adapters, path), density) for path in adapters[0]}


def dare(adapters: Sequence[Adapter], density: float, seed: int) -> Deltas:
    """Drop at random, rescale what is left, mean (DARE, 2311.03099, section 3.2)."""
    random = torch.Generator().manual_seed(seed)
    return {path: _dare(_stacked(adapters, path), density, random) for path in adapters[0]}


def norm(changes: Deltas) -> float:
    """Frobenius norm over all layers."""
    return sum(float(delta_OI.square().sum()) for delta_OI in changes.values()) ** 0.5


def _ties(delta_NOI: Tensor, density: float) -> Tensor:
    size_NP = delta_NOI.abs().flatten(1)
    kept = max(1, round(density * size_NP.shape[1]))
    least_N = size_NP.topk(kept, dim=1).values[:, -1]
    trimmed_NOI = torch.where(delta_NOI.abs() >= least_N[:, None, None], delta_NOI, 0.0)
    agrees_NOI = trimmed_NOI.sign() == trimmed_NOI.sum(0).sign()
    count_OI = (agrees_NOI & (trimmed_NOI != 0)).sum(0).clamp(min=1)
    return (trimmed_NOI * agrees_NOI).sum(0) / count_OI


def _dare(delta_NOI: Tensor, density: float, random: torch.Generator) -> Tensor:
    kept_NOI = torch.rand(delta_NOI.shape, generator=random).to(delta_NOI.device) < density
    return (delta_NOI * kept_NOI / density).mean(0)


def _stacked(adapters: Sequence[Adapter], path: str) -> Tensor:
    return torch.stack([adapter[path].delta_OI for adapter in adapters])


def _mean(tensors: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(tensors)).mean(0)

"""Share (2602.06043, section 3): adapters as coefficients in a common basis.

Shapes in names: L layers, O width out, I width in, R rank, N adapters, K directions of a basis.

In each layer the factors B of all adapters are put side by side, [O, N·R], and so are the
transposes of A, [I, N·R]. The basis is the leading left singular vectors of each, after the mean
column is subtracted; an adapter becomes its projection.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmlab.finetune.model.replacing import replace_module
from llmlab.sleep.night.adapters import Adapter, Deltas


@dataclass(frozen=True)
class Basis:
    """The directions of one layer: β, [O, K], and α, [I, K]."""

    out_OK: Tensor
    in_IK: Tensor


@dataclass(frozen=True)
class Shared:
    """Many adapters in one basis.

    Attributes:
        bases: by the path of the layer.
        out_coefficients, in_coefficients: ε_β and ε_α of each adapter, [N, K, R], by path.
    """

    bases: dict[str, Basis]
    out_coefficients: dict[str, Tensor]
    in_coefficients: dict[str, Tensor]


def share(adapters: Sequence[Adapter], n_directions: int) -> Shared:
    """The first phase: a basis from adapters, and the coefficients of each."""
    bases, outs, ins = {}, {}, {}
    for paths, b_LNOR, a_LNIR in layers_alike(adapters):
        out_LOK, in_LIK = principal(b_LNOR, n_directions), principal(a_LNIR, n_directions)
        bases |= dict(zip(paths, map(Basis, out_LOK, in_LIK), strict=True))
        outs |= dict(zip(paths, out_LOK.mT[:, None] @ b_LNOR, strict=True))
        ins |= dict(zip(paths, in_LIK.mT[:, None] @ a_LNIR, strict=True))
    return Shared(bases, outs, ins)


def layers_alike(adapters: Sequence[Adapter]) -> Iterator[tuple[list[str], Tensor, Tensor]]:
    """Paths of the layers of each shape; their B, [L, N, O, R], and transposes of A, [L, N, I, R].

    Together, since one decomposition of a batch takes less time than many of one matrix.
    """
    shapes: dict[tuple[torch.Size, torch.Size], list[str]] = {}
    for path, factors in adapters[0].items():
        shapes.setdefault((factors.b_OR.shape, factors.a_RI.shape), []).append(path)
    for paths in shapes.values():
        b_NOR, a_NIR = zip(*(stacked(adapters, path) for path in paths), strict=True)
        yield paths, torch.stack(b_NOR), torch.stack(a_NIR)


def stacked(adapters: Sequence[Adapter], path: str) -> tuple[Tensor, Tensor]:
    """All B, [N, O, R], and all transposes of A, [N, I, R], of one layer."""
    return (
        torch.stack([adapter[path].b_OR for adapter in adapters]),
        torch.stack([adapter[path].a_RI.T for adapter in adapters]),
    )


def principal(factor_LNOR: Tensor, n_directions: int) -> Tensor:
    """The leading left singular vectors of each layer's centred columns, [L, O, K]."""
    return torch.linalg.svd(centred(factor_LNOR), full_matrices=False).U[..., :n_directions]


def centred(factor_LNOR: Tensor) -> Tensor:
    """The columns of all adapters side by side, less their mean, [L, O, N·R]."""
    columns_LOC = factor_LNOR.transpose(-3, -2).flatten(-2)
    return columns_LOC - columns_LOC.mean(dim=-1, keepdim=True)


def rebuilt(shared: Shared, number: int) -> Deltas:
    """The projection of adapter `number` onto the basis."""
    return {
        path: _delta(
            basis, shared.out_coefficients[path][number], shared.in_coefficients[path][number]
        )
        for path, basis in shared.bases.items()
    }


def averaged(shared: Shared) -> Deltas:
    """The mean coefficients as one adapter; as the mean of factors, it shrinks with N."""
    return {
        path: _delta(
            basis, shared.out_coefficients[path].mean(0), shared.in_coefficients[path].mean(0)
        )
        for path, basis in shared.bases.items()
    }


def _delta(basis: Basis, out_KR: Tensor, in_KR: Tensor) -> Tensor:
    return (basis.out_OK @ out_KR) @ (basis.in_IK @ in_KR).T


class ShareLinear(nn.Module):
    """A frozen layer with a detour through the basis, whose coefficients are trained.

    Attributes:
        out_KR, in_KR: ε_β, zero at first, and ε_α, normal with deviation 1/√K.
    """

    def __init__(self, base: nn.Linear, basis: Basis, rank: int) -> None:
        super().__init__()
        self.base = base
        self.register_buffer("basis_out_OK", basis.out_OK)
        self.register_buffer("basis_in_IK", basis.in_IK)
        n_directions = basis.in_IK.shape[1]
        self.in_KR = nn.Parameter(torch.randn(n_directions, rank) / n_directions**0.5)
        self.out_KR = nn.Parameter(torch.zeros(n_directions, rank))

    def forward(self, x_BTI: Tensor) -> Tensor:
        low_BTR = x_BTI @ (self.basis_in_IK @ self.in_KR)
        return self.base(x_BTI) + F.linear(low_BTR, self.basis_out_OK @ self.out_KR)

    def delta_weight(self) -> Tensor:
        return (
            _delta(Basis(self.basis_out_OK, self.basis_in_IK), self.out_KR, self.in_KR)
            .detach()
            .cpu()
        )


def add_share(model: nn.Module, shared: Shared, rank: int, seed: int) -> nn.Module:
    """`model` itself, frozen, with fresh coefficients in a frozen basis (the second phase)."""
    torch.manual_seed(seed)
    layers = {
        path: ShareLinear(model.get_submodule(path), basis, rank)
        for path, basis in shared.bases.items()
    }
    return with_layers(model, layers)


def with_layers(model: nn.Module, layers: Mapping[str, nn.Module]) -> nn.Module:
    """`model` itself, frozen, with these layers in place of its own and on its device."""
    device = next(model.parameters()).device
    model.requires_grad_(False)
    for path, layer in layers.items():
        replace_module(model, path, layer)
    return model.to(device)


def learned(model: nn.Module) -> Deltas:
    """What the trained coefficients add to each layer."""
    return {
        path: layer.delta_weight()
        for path, layer in model.named_modules()
        if isinstance(layer, ShareLinear)
    }

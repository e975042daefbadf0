"""Bases that adapters share: how many directions they need, random bases as a control, and how far
means of factors shrink.

Shapes in names: O width out, I width in, R rank, N adapters, K directions of a basis.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from llmlab.sleep.night.adapters import Adapter, Deltas, Factors, norm
from llmlab.sleep.night.share import Basis, Shared, ShareLinear, centred, layers_alike, stacked

Bases = Mapping[str, Basis]
"""The basis of each layer, by path."""


def explained(factor_LNOR: Tensor) -> Tensor:
    """Share of the variance of each layer that the leading directions hold, [L, K]."""
    variance_LK = torch.linalg.svdvals(centred(factor_LNOR)).square()
    return variance_LK.cumsum(-1) / variance_LK.sum(-1, keepdim=True)


def directions_for(adapters: Sequence[Adapter], variance: float) -> int:
    """The fewest directions that hold `variance` in both factors of every layer.

    Share (2602.06043, section 3) takes 0.6.
    """
    return max(
        int((explained(factor_LNOR) < variance).sum(-1).max()) + 1
        for _, *factors in layers_alike(adapters)
        for factor_LNOR in factors
    )


def random_bases(like: Adapter, n_directions: int, seed: int) -> dict[str, Basis]:
    """Orthonormal directions drawn at random: the control for a learned basis."""
    random = torch.Generator().manual_seed(seed)
    return {
        path: Basis(
            _random_directions(factors.b_OR.shape[0], n_directions, random),
            _random_directions(factors.a_RI.shape[1], n_directions, random),
        )
        for path, factors in like.items()
    }


def _random_directions(width: int, n_directions: int, random: torch.Generator) -> Tensor:
    drawn = torch.randn(width, min(n_directions, width), generator=random)
    return torch.linalg.qr(drawn).Q


def in_bases(adapters: Sequence[Adapter], bases: Bases) -> Shared:
    """Adapters as their projections onto given bases."""
    outs, ins = {}, {}
    for path, basis in bases.items():
        b_NOR, a_NIR = stacked(adapters, path)
        outs[path] = basis.out_OK.T @ b_NOR
        ins[path] = basis.in_IK.T @ a_NIR
    return Shared(dict(bases), outs, ins)


def rebuilt_factors(shared: Shared, number: int) -> Adapter:
    """Adapter `number` as far as the basis holds it, factor by factor."""
    return {
        path: Factors(
            basis.out_OK @ shared.out_coefficients[path][number],
            (basis.in_IK @ shared.in_coefficients[path][number]).T,
        )
        for path, basis in shared.bases.items()
    }


def start_from(model: nn.Module, shared: Shared, number: int) -> nn.Module:
    """`model` itself, whose layers of `add_share` begin with the coefficients of an adapter."""
    layers = [(path, m) for path, m in model.named_modules() if isinstance(m, ShareLinear)]
    with torch.no_grad():
        for path, layer in layers:
            layer.out_KR.copy_(shared.out_coefficients[path][number])
            layer.in_KR.copy_(shared.in_coefficients[path][number])
    return model


def null_of(adapter: Adapter, seed: int) -> Deltas:
    """Random factors whose ΔW is as large as the adapter's, layer by layer."""
    random = torch.Generator().manual_seed(seed)
    drawn = {
        path: torch.randn(factors.b_OR.shape, generator=random)
        @ torch.randn(factors.a_RI.shape, generator=random)
        for path, factors in adapter.items()
    }
    return {path: drawn[path] * _ratio(adapter[path].delta_OI, drawn[path]) for path in drawn}


def _ratio(wanted_OI: Tensor, given_OI: Tensor) -> Tensor:
    return wanted_OI.norm() / given_OI.norm()


def shrinkage(changes: Deltas, adapters: Sequence[Adapter]) -> float:
    """The size of a merged ΔW over the mean size of those that it was made of."""
    return norm(changes) / _mean_norm(adapters)


def expected_shrinkage(adapters: Sequence[Adapter]) -> float:
    """What shrinkage of the product of mean factors to expect where gauges are unrelated.

    B̄Ā = Σᵢⱼ BᵢAⱼ / N². An invertible G with BG and G⁻¹A in place of B and A leaves ΔW as it is;
    where every adapter has a G of its own, the N² terms are uncorrelated and their squares add up:

        E‖B̄Ā‖² = Σᵢⱼ ‖BᵢAⱼ‖² / N⁴,

    about 1/N of one adapter's norm where the factors are of one size.
    """
    squares = sum(_cross_squares(*stacked(adapters, path)) for path in adapters[0])
    return float(squares) ** 0.5 / len(adapters) ** 2 / _mean_norm(adapters)


def _cross_squares(b_NOR: Tensor, a_NIR: Tensor) -> Tensor:
    """Σᵢⱼ ‖BᵢAⱼ‖², as Σᵢⱼ tr(BᵢᵀBᵢ · AⱼAⱼᵀ)."""
    gram_b_RR = (b_NOR.mT @ b_NOR).sum(0)
    gram_a_RR = (a_NIR.mT @ a_NIR).sum(0)
    return (gram_b_RR * gram_a_RR).sum()


def _mean_norm(adapters: Sequence[Adapter]) -> float:
    sizes = [norm({path: f.delta_OI for path, f in adapter.items()}) for adapter in adapters]
    return sum(sizes) / len(sizes)

"""What Adam remembers: the second moment of each weight's gradient, and what it does to the steps.

Adam moves a weight by lr·m̂/(√v̂ + ε) (Kingma and Ba 2014, arXiv 1412.6980, algorithm 1): m̂ is the
mean of its recent gradients, v̂ the mean of their squares. The quotient m̂/√v̂ is the share of the
learning rate that is used: 1 where every gradient points the same way, near 0 where they cancel.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
FULL_RATE = 0.5
"""A weight that uses at least this share of the learning rate counts as moving at it."""


@dataclass(frozen=True)
class Moments:
    """Adam's memory of one parameter, corrected for its start at zero.

    Attributes:
        size: √v̂, the root mean square of recent gradients, in units of the gradient.
        share: |m̂|/(√v̂ + ε), the share of the learning rate that is used.
    """

    size: Tensor
    share: Tensor

    @property
    def moves(self) -> Tensor:
        """Which weights have had a gradient at all."""
        return self.size > 0


def moments(model: nn.Module, optimizer: torch.optim.AdamW) -> dict[str, Moments]:
    """Adam's memory of every parameter that it has moved, by name."""
    found = {}
    groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        if state := optimizer.state.get(parameter):
            found[name] = _corrected(state, groups[id(parameter)])
    return found


def _corrected(state: Mapping[str, Tensor], group: Mapping[str, object]) -> Moments:
    beta1, beta2 = group["betas"]
    step = float(state["step"])
    size = (state["exp_avg_sq"] / (1 - beta2**step)).sqrt()
    mean = state["exp_avg"] / (1 - beta1**step)
    return Moments(size.flatten(), (mean.abs() / (size + group["eps"])).flatten())


def quantiles(values: Tensor) -> list[float]:
    """The `QUANTILES` of the values, which need not be few."""
    ordered = values.flatten().sort().values
    places = (torch.tensor(QUANTILES) * (len(ordered) - 1)).round().long()
    return ordered[places.to(ordered.device)].tolist()


def rate_spread(found: Mapping[str, Moments]) -> float:
    """How unequal Adam makes the steps: √v̂ of the 95th over the 5th percentile, in decades.

    Over all weights that have had a gradient. A rule with one rate for all would have to suit
    gradients that differ by so much.
    """
    sizes = torch.cat([one.size[one.moves] for one in found.values()])
    low, *_, high = quantiles(sizes.log10())
    return high - low


def full_rate_share(found: Mapping[str, Moments]) -> float:
    """Share of the weights with a gradient that move at least at `FULL_RATE`."""
    shares = torch.cat([one.share[one.moves] for one in found.values()])
    return (shares >= FULL_RATE).float().mean().item()

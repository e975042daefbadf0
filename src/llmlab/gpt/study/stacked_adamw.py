"""AdamW for many models at once, each with its own rate, betas, decay, clipping and divergence."""

from collections.abc import Sequence

import torch
from torch import Tensor

from llmlab.gpt.training import TrainConfig


class StackedAdamW:
    """Clipping and AdamW (1711.05101, algorithm 2) of each row of weights by itself.

    Attributes:
        steps: updates done.
        alive_K: rows whose loss and gradient have been finite so far; others stay as they are.
    """

    epsilon = 1e-8
    """As in `torch.optim.AdamW`."""

    def __init__(
        self, weights_KP: Tensor, configs: Sequence[TrainConfig], decayed_P: Tensor
    ) -> None:
        """Begin with no moments.

        Args:
            weights_KP: the weights of K models, one per row; updated in place.
            decayed_P: 1 where a weight decays, 0 elsewhere.
        """

        def column(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, device=weights_KP.device)[:, None]

        self.weights_KP = weights_KP
        self.slow_K1 = column([config.betas[0] for config in configs])
        self.slower_K1 = column([config.betas[1] for config in configs])
        self.clip_K1 = column([config.clip for config in configs])
        self.decay_KP = column([config.weight_decay for config in configs]) * decayed_P
        self.alive_K = torch.ones(len(configs), dtype=torch.bool, device=weights_KP.device)
        self.mean_KP = torch.zeros_like(weights_KP)
        self.square_KP = torch.zeros_like(weights_KP)
        self.steps = 0

    @torch.no_grad()
    def step(self, losses_K: Tensor, gradients_KP: Tensor, rates_K: Tensor) -> Tensor:
        """One update of every row alive; the gradient norms before clipping, shape [K]."""
        norms_K1 = gradients_KP.norm(dim=1, keepdim=True)
        self.alive_K &= (losses_K + norms_K1[:, 0]).isfinite()
        alive_K1 = self.alive_K[:, None]
        gradients_KP.mul_((self.clip_K1 / (norms_K1 + 1e-6)).clamp(max=1.0))
        gradients_KP.masked_fill_(~alive_K1, 0.0)
        self.steps += 1
        self.mean_KP.lerp_(gradients_KP, 1 - self.slow_K1)
        self.square_KP.mul_(self.slower_K1)
        self.square_KP.add_(gradients_KP.square_().mul_(1 - self.slower_K1))
        bias_K1 = (1 - self.slower_K1**self.steps).sqrt()
        updates_KP = self.mean_KP / self.square_KP.sqrt().div_(bias_K1).add_(self.epsilon)
        rates_K1 = rates_K[:, None] * alive_K1
        self.weights_KP.mul_(1 - rates_K1 * self.decay_KP)
        self.weights_KP.sub_(updates_KP.mul_(rates_K1 / (1 - self.slow_K1**self.steps)))
        return norms_K1[:, 0]

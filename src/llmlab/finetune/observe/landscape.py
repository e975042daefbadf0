"""The landscape of a loss: planes around a minimum, and the straight path from one to another.

Everything is expressed in the weights of the plain model, so that LoRA and full fine-tuning can be
compared: an adapter is first merged into the weights it adapts.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from llmlab.finetune.model.lora import LoraLinear
from llmlab.finetune.model.replacing import replace_module
from llmlab.finetune.tasks.batches import Sequences
from llmlab.gpt.training import Evaluation, evaluate

Weights = dict[str, Tensor]
"""A point, or a direction: a tensor for each parameter of a plain model."""


def merged_copy(model: nn.Module) -> nn.Module:
    """A copy of `model` with every adapter merged into its layer; the logits stay the same."""
    model = copy.deepcopy(model)
    detours = [(name, part) for name, part in model.named_modules() if isinstance(part, LoraLinear)]
    for name, detour in detours:
        with torch.no_grad():
            detour.base.weight += detour.delta_weight()
        replace_module(model, name, detour.base)
    return model.requires_grad_(True)


def weights_of(model: nn.Module) -> Weights:
    """A copy of a model's weights; a shared tensor appears once."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


@dataclass(frozen=True)
class Landscape:
    """The loss on some sequences as a function of a plain model's weights.

    Attributes:
        model: computes the loss; its own weights are overwritten.
    """

    model: nn.Module
    sequences: Sequences

    def at(self, weights: Weights) -> Evaluation:
        """Loss and exact answers at a point."""
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(weights[name])
        return evaluate(self.model, self.sequences.tokens_NT, self.sequences.targets_NT)


def random_direction(weights: Weights, seed: int) -> Weights:
    """A random direction with filters as long as those of the weights (filter normalisation).

    Each row of a matrix, the weights of one output, counts as a filter; gains and biases do not
    move (Li et al. 2018, arXiv 1712.09913, section 4). A distance of 1 in such a direction is as
    far as the weights are long, whatever their scale, so planes of different minima compare.
    """
    generator = torch.Generator().manual_seed(seed)
    return {name: _filters_like(tensor, generator) for name, tensor in weights.items()}


def _filters_like(weight: Tensor, generator: torch.Generator) -> Tensor:
    if weight.ndim < 2:
        return torch.zeros_like(weight)
    drawn = torch.randn(weight.shape, generator=generator).to(weight)
    return drawn * (weight.norm(dim=-1, keepdim=True) / drawn.norm(dim=-1, keepdim=True))


def moved(weights: Weights, *steps: tuple[float, Weights]) -> Weights:
    """The point reached by moving some distance along each direction."""
    return {
        name: tensor + sum(distance * direction[name] for distance, direction in steps)
        for name, tensor in weights.items()
    }


def plane(landscape: Landscape, centre: Weights, distances: Sequence[float]) -> list[list[float]]:
    """Losses on the plane of two random directions, one row per distance along the second."""
    across, along = (random_direction(centre, seed) for seed in (0, 1))
    return [
        [landscape.at(moved(centre, (x, across), (y, along))).loss for x in distances]
        for y in distances
    ]


def rise(landscape: Landscape, centre: Weights, distance: float, n_directions: int) -> float:
    """Mean rise of the loss at a distance from `centre`, averaged over random directions."""
    directions = (random_direction(centre, seed) for seed in range(n_directions))
    losses = [landscape.at(moved(centre, (distance, way))).loss for way in directions]
    return sum(losses) / n_directions - landscape.at(centre).loss


def path(
    landscape: Landscape, start: Weights, end: Weights, shares: Sequence[float]
) -> Iterator[Evaluation]:
    """Loss and exact answers at these fractions of the straight line from `start` to `end`."""
    way = {name: end[name] - start[name] for name in start}
    return (landscape.at(moved(start, (share, way))) for share in shares)


def barrier(losses: Sequence[float], shares: Sequence[float]) -> float:
    """How far the loss on a path rises above the straight line between its ends; at least 0.

    Entezari et al. 2021, arXiv 2110.06296, definition 2.1; Frankle et al. 2019, arXiv 1912.05671.

    Args:
        shares: of the way, from 0 to 1.
    """
    first, last = losses[0], losses[-1]
    rises = [
        loss - ((1 - share) * first + share * last)
        for loss, share in zip(losses, shares, strict=True)
    ]
    return max(0.0, *rises)

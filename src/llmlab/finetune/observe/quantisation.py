"""What 4-bit quantisation did to a model: the error of each layer, and the levels in use."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from llmlab.finetune.model.qlora import constants, dequantise, level_indices, quantised_layers
from llmlab.method.errors import LabError

N_LEVELS = 16


@dataclass(frozen=True)
class LayerReport:
    """What the quantiser did to one layer.

    Attributes:
        layer: path in the model.
        n_weights: quantised weights.
        relative_error: norm of the change of the weights over the norm of the weights.
        constants_bytes: bytes of the blocks' constants.
        level_counts: how many weights have each of the 16 levels, lowest level first.
    """

    layer: str
    n_weights: int
    relative_error: float
    constants_bytes: int
    level_counts: tuple[int, ...]


@dataclass(frozen=True)
class QuantisationReport:
    """What the quantiser did to a model.

    Attributes:
        levels: the 16 levels, in units of a block's largest weight.
        relative_error: of all quantised weights together.
    """

    layers: tuple[LayerReport, ...]
    levels: tuple[float, ...]
    relative_error: float

    @property
    def bits_per_weight(self) -> float:
        """Four, and the share of the constants."""
        n_weights = sum(layer.n_weights for layer in self.layers)
        return 4 + 8 * sum(layer.constants_bytes for layer in self.layers) / n_weights

    @property
    def level_shares(self) -> tuple[float, ...]:
        """Share of all weights that have each level."""
        counts = [
            sum(column) for column in zip(*(x.level_counts for x in self.layers), strict=True)
        ]
        return tuple(count / sum(counts) for count in counts)


@torch.no_grad()
def quantisation_report(before: nn.Module, after: nn.Module) -> QuantisationReport:
    """Compare the weights of a model with those of its 4-bit form, with an adapter or without.

    Args:
        before: an unquantised copy, since `quantise` works in place.

    Raises:
        LabError: `after` has no 4-bit layer.
    """
    quantised = dict(quantised_layers(after))
    if not quantised:
        raise LabError("the model has no layer of four bits to report on: quantise it first.")
    found, squared_error, squared_norm = [], 0.0, 0.0
    for name, layer in quantised.items():
        weight = before.get_submodule(name).weight.float()
        error = (dequantise(layer).float() - weight).square().sum().item()
        norm = weight.square().sum().item()
        squared_error, squared_norm = squared_error + error, squared_norm + norm
        found.append(
            LayerReport(
                layer=name,
                n_weights=weight.numel(),
                relative_error=(error / norm) ** 0.5,
                constants_bytes=sum(tensor.nbytes for tensor in constants(layer)),
                level_counts=tuple(_counts(layer).tolist()),
            )
        )
    levels = next(iter(quantised.values())).weight.quant_state.code
    return QuantisationReport(
        tuple(found), tuple(levels.tolist()), (squared_error / squared_norm) ** 0.5
    )


def _counts(layer: nn.Linear) -> Tensor:
    return torch.bincount(level_indices(layer).flatten(), minlength=N_LEVELS)

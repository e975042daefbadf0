"""Ways to fine-tune: what of a model is trained, and what is added to it first."""

from dataclasses import dataclass
from typing import Protocol

from torch import nn


class Method(Protocol):
    """How a base model becomes one in training."""

    def adapt(self, model: nn.Module, seed: int) -> nn.Module:
        """The model to train, made from `model` in place: what requires a gradient is trained.

        Args:
            seed: fixes whatever the method draws.
        """


@dataclass(frozen=True)
class Full:
    """Full fine-tuning: every parameter is trained."""

    def adapt(self, model: nn.Module, seed: int) -> nn.Module:
        return model.requires_grad_(True)

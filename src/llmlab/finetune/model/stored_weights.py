"""The weights of a base as its files have them."""

from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn

INNER = "inner."
"""What precedes the names of layers in a model of `transformers`."""


class StoredWeights:
    """The weights of a base as its files have them, fetched one layer at a time.

    Measuring what quantisation does to a large model thus takes the memory of one layer.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        self._device = device
        self._file_of = {}
        for path in sorted(folder.glob("*.safetensors")):
            with safe_open(path, "pt") as file:
                self._file_of |= dict.fromkeys(file.keys(), path)

    def get_submodule(self, layer: str) -> nn.Linear:
        """A linear layer with the weight stored for `path`, and nothing else."""
        name = f"{layer.removeprefix(INNER)}.weight"
        with safe_open(self._file_of[name], "pt", device=str(self._device)) as file:
            weight = file.get_tensor(name)
        found = nn.Linear(*weight.T.shape, bias=False, device="meta")
        found.weight = nn.Parameter(weight, requires_grad=False)
        return found

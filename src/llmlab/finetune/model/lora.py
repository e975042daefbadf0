"""LoRA adapters for any model of linear layers (Hu et al. 2021, arXiv 2106.09685).

A frozen linear layer h = W₀x gets a trained detour h = W₀x + s·B·A·x with A of shape [r, d_in] and
B of shape [d_out, r]. B starts at zero, so training starts at the base model.

Shapes in names: N tokens of a batch, I width in, O width out, R rank.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmlab.finetune.model.replacing import replace_module
from llmlab.method.errors import LabError

Scaling = Literal["alpha/r", "rslora"]
ALL_LINEAR = "all-linear"
"""Every linear layer but the output layer."""
OUTPUT_LAYERS = ("head", "lm_head")


@dataclass(frozen=True)
class LoraSpec:
    """Which adapter.

    Attributes:
        rank: r, the inner width of the detour.
        alpha: numerator of the scaling s.
        scaling: "alpha/r" is s = α/r; "rslora" is s = α/√r (Kalajdzievski 2023, arXiv 2312.03732).
        target_modules: names of the linear layers that get a detour, or `ALL_LINEAR`.
    """

    rank: int
    alpha: float
    scaling: Scaling = "alpha/r"
    target_modules: tuple[str, ...] | str = ALL_LINEAR

    @property
    def scale(self) -> float:
        return self.alpha / (self.rank if self.scaling == "alpha/r" else math.sqrt(self.rank))

    def adapt(self, model: nn.Module, seed: int) -> nn.Module:
        """`model` frozen, with a fresh adapter (errors as `add_lora`)."""
        return add_lora(model, self, seed)


class LoraLinear(nn.Module):
    """A frozen linear layer with its detour.

    Attributes:
        base: the layer itself, of full or of 4-bit weights.
        a_RI: A, kaiming-uniform at first, as in `peft`.
        b_RO: B transposed, which halves the time of the products of its gradients; zero at first.
    """

    def __init__(self, base: nn.Linear, rank: int, scale: float) -> None:
        super().__init__()
        self.base = base
        self.scale = scale
        device = base.weight.device
        self.a_RI = nn.Parameter(torch.empty(rank, base.in_features, device=device))
        self.b_RO = nn.Parameter(torch.zeros(rank, base.out_features, device=device))
        nn.init.kaiming_uniform_(self.a_RI, a=math.sqrt(5))

    def forward(self, x_BTI: Tensor) -> Tensor:
        h_BTO = self.base(x_BTI)
        x_NI, h_NO = x_BTI.flatten(0, -2), h_BTO.flatten(0, -2)
        low_NR = F.linear(x_NI.to(self.a_RI.dtype), self.a_RI).to(h_NO.dtype)
        return torch.addmm(h_NO, low_NR, self.b_RO.to(h_NO.dtype), alpha=self.scale).view_as(h_BTO)

    def delta_weight(self) -> Tensor:
        """What the detour adds to the layer's weight, shape [O, I]."""
        return self.scale * (self.a_RI.T @ self.b_RO).T


def add_lora(model: nn.Module, spec: LoraSpec, seed: int) -> nn.Module:
    """`model` itself, frozen, with a fresh adapter; `seed` fixes the start of A.

    Raises:
        LabError: no layer has one of the names, a named layer is not linear, or the rank is above
            the width of a layer.
    """
    targets = dict(target_layers(model, spec.target_modules))
    for name, layer in targets.items():
        width = min(layer.in_features, layer.out_features)
        if spec.rank > width:
            raise LabError(
                f"rank {spec.rank} is above the width {width} of the layer {name}, where it can "
                f"add nothing: choose a rank of at most {width}."
            )
    model.requires_grad_(False)
    torch.manual_seed(seed)
    for name, layer in targets.items():
        replace_module(model, name, LoraLinear(layer, spec.rank, spec.scale))
    return model


def target_layers(
    model: nn.Module, target_modules: tuple[str, ...] | str = ALL_LINEAR
) -> Iterator[tuple[str, nn.Linear]]:
    """Paths and layers that `target_modules` names, by the last part of their paths.

    Raises:
        LabError: as `add_lora`.
    """
    named = {name: module for name, module in model.named_modules() if name}
    linear = {name: module for name, module in named.items() if isinstance(module, nn.Linear)}
    leaves = {_leaf(name): None for name in linear if _leaf(name) not in OUTPUT_LAYERS}
    wanted = tuple(leaves) if target_modules == ALL_LINEAR else target_modules
    for wish in wanted:
        _check(wish, named, linear, tuple(leaves))
    yield from ((name, layer) for name, layer in linear.items() if _leaf(name) in wanted)


def wide_layers(model: nn.Module, rank: int) -> tuple[str, ...]:
    """The linear layers, but that of the output, that are no narrower than a rank.

    Returns:
        The last parts of their paths. A gate between experts is often one number wide.
    """
    layers = dict(target_layers(model))
    narrow = {
        _leaf(path)
        for path, layer in layers.items()
        if min(layer.in_features, layer.out_features) < rank
    }
    return tuple(dict.fromkeys(_leaf(path) for path in layers if _leaf(path) not in narrow))


def beside_linear_layers(model: nn.Module) -> dict[str, int]:
    """Parameters that no adapter reaches, by names that leave out the number of a block.

    Matrices in no linear layer, such as the fused weights of experts; embeddings apart.
    """
    found: Counter[str] = Counter()
    for path, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            continue
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.ndim > 1:
                parts = [part for part in f"{path}.{name}".split(".") if not part.isdigit()]
                found[".".join(parts[-3:])] += parameter.numel()
    return dict(found)


def _check(
    wish: str, named: dict[str, nn.Module], linear: dict[str, nn.Linear], known: tuple[str, ...]
) -> None:
    kinds = {type(module).__name__ for name, module in named.items() if _leaf(name) == wish}
    choices = f"choose from {', '.join(known)}."
    if not kinds:
        raise LabError(f"the model has no layer '{wish}' to adapt: {choices}")
    if not any(_leaf(name) == wish for name in linear):
        raise LabError(
            f"the layer '{wish}' is a {', '.join(sorted(kinds))}, and only a linear layer can be "
            f"adapted: {choices}"
        )


def _leaf(path: str) -> str:
    return path.rpartition(".")[2]

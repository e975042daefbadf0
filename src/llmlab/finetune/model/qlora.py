"""QLoRA: an adapter on a base model of 4-bit weights (Dettmers et al. 2023, arXiv 2305.14314).

The frozen weights are kept in NF4 by bitsandbytes and made whole again, layer by layer, whenever
they are multiplied; gradients pass through them to the adapter, which stays in full precision.

Shapes in names: O width out, I width in.
"""

import copy
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmlab.finetune.model.lora import OUTPUT_LAYERS, LoraSpec, target_layers
from llmlab.finetune.model.replacing import replace_module
from llmlab.method.errors import LabError

BLOCK_SIZES = (32, 64, 128, 256, 512, 1024, 2048, 4096)
PAGED_BYTES = 2
"""Of 8-bit AdamW's two moments of a trained parameter."""


@dataclass(frozen=True)
class FourBit:
    """How weights are put into four bits each (NF4).

    Attributes:
        double_quantisation: the blocks' constants are quantised too, to 8 bits each.
        block_size: weights that share one constant.
    """

    double_quantisation: bool = True
    block_size: int = 64

    def __post_init__(self) -> None:
        if self.block_size not in BLOCK_SIZES:
            raise LabError(
                f"a block of {self.block_size} weights cannot be quantised: "
                f"choose a block size from {', '.join(map(str, BLOCK_SIZES))}."
            )


@dataclass(frozen=True)
class QloraSpec:
    """Which adapter, on which 4-bit base.

    Attributes:
        lora: the adapter; with the same seed it starts as it would on the unquantised base.
    """

    lora: LoraSpec
    four_bit: FourBit = FourBit()

    def adapt(self, model: nn.Module, seed: int) -> nn.Module:
        """`model` with frozen 4-bit weights and a fresh adapter.

        Raises:
            LabError: as `quantise` and `llmlab.finetune.model.lora.add_lora`.
        """
        return self.lora.adapt(quantise(model, self.four_bit), seed)


def quantise(model: nn.Module, four_bit: FourBit) -> nn.Module:
    """`model` itself, frozen, with every linear layer but the output layer in four bits.

    Products are computed in bfloat16 on CUDA and in float32 elsewhere. Layers that have four bits
    already keep their weights.

    Raises:
        LabError: the model has no linear layer to quantise.
    """
    layers = layers_to_quantise(model)
    model.requires_grad_(False)
    for name, layer in layers.items():
        replace_module(model, name, _in_four_bits(layer, four_bit))
    return model


def layers_to_quantise(model: nn.Module) -> dict[str, nn.Linear]:
    """Every linear layer but the output layer, by its path.

    Raises:
        LabError: there is none.
    """
    layers = dict(target_layers(model))
    if not layers:
        raise LabError(
            f"QLoRA needs linear layers, but this model has none beside its output layer, only "
            f"{_kinds(model)}: fine-tune it with full."
        )
    return layers


def is_quantised(layer: nn.Module) -> bool:
    """Whether this is a linear layer of 4-bit weights."""
    return isinstance(layer, _bitsandbytes().nn.Linear4bit)


def quantised_layers(model: nn.Module) -> Iterator[tuple[str, nn.Linear]]:
    """Paths, those of the model without an adapter, and 4-bit layers."""
    for name, layer in model.named_modules():
        if is_quantised(layer):
            yield name.removesuffix(".base"), layer


def dequantise(layer: nn.Linear) -> Tensor:
    """The weight that a 4-bit layer computes with, shape [O, I]."""
    state = layer.weight.quant_state
    # As one long row: where a row is not a multiple of a block, the kernel of bitsandbytes 0.50.2
    # for CPUs with AVX-512 takes the constants of wrong blocks.
    flat = copy.copy(state)
    flat.shape = torch.Size([1, state.shape.numel()])
    return _bitsandbytes().functional.dequantize_4bit(layer.weight.data, flat).view(state.shape)


def level_indices(layer: nn.Linear) -> Tensor:
    """Which of the 16 levels each weight of a 4-bit layer has, shape [O, I]."""
    pairs = layer.weight.data.flatten()
    return torch.stack([pairs >> 4, pairs & 15], dim=1).view(layer.weight.quant_state.shape)


def constants(layer: nn.Linear) -> tuple[Tensor, ...]:
    """What a 4-bit layer keeps beside its weights to scale them (lookup tables apart)."""
    state = layer.weight.quant_state
    return (state.absmax, state.state2.absmax, state.offset) if state.nested else (state.absmax,)


def lookup_tables(layer: nn.Linear) -> tuple[Tensor, ...]:
    """The levels of a 4-bit layer's weights and, where they are quantised, of its constants."""
    state = layer.weight.quant_state
    return (state.code, state.state2.code) if state.nested else (state.code,)


def _in_four_bits(layer: nn.Linear, four_bit: FourBit) -> nn.Linear:
    library, device = _bitsandbytes().nn, layer.weight.device
    quantised = _linear_4bit()(
        layer.in_features,
        layer.out_features,
        bias=layer.bias is not None,
        compute_dtype=torch.bfloat16 if device.type == "cuda" else torch.float32,
        device="meta",
    )
    quantised.bias = layer.bias
    if is_quantised(layer):
        quantised.weight = layer.weight
    else:
        quantised.weight = library.Params4bit(
            layer.weight.data,
            blocksize=four_bit.block_size,
            compress_statistics=four_bit.double_quantisation,
            quant_type="nf4",
            module=quantised,
        ).to(device)
    quantised.quant_state = quantised.weight.quant_state
    return quantised


@cache
def _linear_4bit() -> type[nn.Linear]:
    class Linear4bit(_bitsandbytes().nn.Linear4bit):
        """bitsandbytes' layer, but on a CPU with products of its own.

        On processors with bf16 its own evaluation would repack the weights for good: a layer so
        repacked computes in bf16 and passes no gradient, so that training could not go on. On
        others the kernel that `dequantise` goes around is wrong for some widths.
        """

        def forward(self, x_BTI: Tensor) -> Tensor:
            if x_BTI.is_cuda:
                return self.library_product(x_BTI)
            return _FrozenProduct.apply(x_BTI, self).to(x_BTI.dtype)

        def library_product(self, x_BTI: Tensor) -> Tensor:
            """The product by bitsandbytes, which would cast the bias in place to x's precision."""
            bias_O, self.bias = self.bias, None
            try:
                h_BTO = super().forward(x_BTI)
            finally:
                self.bias = bias_O
            return h_BTO if bias_O is None else h_BTO + bias_O.to(h_BTO.dtype)

    return Linear4bit


class _FrozenProduct(torch.autograd.Function):
    """A 4-bit layer's output; its weight is made whole for each product, and never kept."""

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
    def forward(ctx: Any, x_BTI: Tensor, layer: nn.Linear) -> Tensor:
        ctx.layer = layer
        weight_OI = dequantise(layer).to(x_BTI.dtype)
        return F.linear(x_BTI, weight_OI, layer.bias)

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")
    def backward(ctx: Any, gradient_BTO: Tensor) -> tuple[Tensor, None]:
        return gradient_BTO @ dequantise(ctx.layer).to(gradient_BTO.dtype), None


def _kinds(model: nn.Module) -> str:
    """Names and kinds of the layers that hold weights."""
    kinds = {
        name.rpartition(".")[2]: type(module).__name__
        for name, module in model.named_modules()
        if next(module.parameters(recurse=False), None) is not None
    }
    return ", ".join(
        f"{name} ({kind})" for name, kind in kinds.items() if name not in OUTPUT_LAYERS
    )


@cache
def _bitsandbytes() -> ModuleType:
    """The library, without its hint on stderr that one more package would speed up inference."""
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    import bitsandbytes

    return bitsandbytes


def paged_adamw(optimizer: torch.optim.AdamW) -> torch.optim.Optimizer:
    """AdamW over the same parameters with a state of 8 bits a number, on CUDA.

    Its state is moved to the host's memory while a long batch needs the device's (QLoRA,
    arXiv 2305.14314, section 3).
    """
    from bitsandbytes.optim import PagedAdamW8bit

    groups = [
        {"params": group["params"], "weight_decay": group["weight_decay"]}
        for group in optimizer.param_groups
    ]
    defaults = {name: optimizer.defaults[name] for name in ("lr", "betas")}
    return PagedAdamW8bit(groups, **defaults, min_8bit_size=0)  # small tensors, too

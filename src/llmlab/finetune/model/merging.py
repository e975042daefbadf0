"""Adapters merged into the weights of their base models."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from llmlab.finetune.model.adapters import (
    Origin,
    adapter_origin,
    is_four_bit,
    load_adapter,
    lora_layers,
)
from llmlab.finetune.model.catalog import MICRO, MicroFolders, micro_with, open_pretrained
from llmlab.finetune.model.hub import HubModel, copy_tokenizer
from llmlab.finetune.model.pretrained import Pretrained
from llmlab.finetune.model.qlora import dequantise
from llmlab.finetune.model.replacing import replace_module
from llmlab.gpt.saved.writing import new_folder
from llmlab.method.errors import LabError
from llmlab.method.files import require_empty


@torch.no_grad()
def merge_adapter(model: nn.Module) -> nn.Module:
    """Merge the adapter of `model` into its weights, in place, and dequantise 4-bit weights.

    A dequantised weight is the one that the adapter was trained on: rounding is not undone.

    Raises:
        LabError: as `require_mergeable`, or a merged weight is not finite.
    """
    adapted = dict(lora_layers(model))
    require_mergeable(model, {path: layer.base for path, layer in adapted.items()})
    if isinstance(model, HubModel) and HubModel.OUTPUT in adapted:
        model.inner.config.tie_word_embeddings = False  # the embedding keeps its own weight
    for path, layer in adapted.items():
        weight_OI = _dense_weight(layer.base)
        merged_OI = (weight_OI.float() + layer.delta_weight().float()).to(weight_OI.dtype)
        if not merged_OI.isfinite().all():
            raise LabError(
                f"merged, the layer {path} holds a number that is not finite: the adapter's are "
                "too large; train it again with a lower learning rate, or correct its lora_alpha."
            )
        replace_module(model, path, _linear(merged_OI, layer.base.bias))
    for path, module in list(model.named_modules()):
        if is_four_bit(module):
            replace_module(model, path, _linear(_dense_weight(module), module.bias))
    return model.requires_grad_(False)


def save_model(model: nn.Module, base: Pretrained, folder: Path) -> None:
    """Write a model without an adapter, in the format of `base`, into `folder`.

    `open_pretrained` opens the folder. It is written aside and renamed.

    Raises:
        LabError: the folder holds something, or cannot be written to.
    """
    with new_folder(folder) as new:
        base.write(model, new)
        if isinstance(model, HubModel):
            copy_tokenizer(base.folder, new)


def open_merged(
    folder: Path, base_name: str | None = None, micro: MicroFolders = tuple
) -> tuple[Pretrained, nn.Module]:
    """The base of the adapter in `folder`, and its model with the adapter merged, on the CPU.

    Args:
        base_name: the base model; by default the one that the adapter names.
        micro: as for `open_pretrained`.

    Raises:
        LabError: as `load_adapter`, `open_pretrained` and `merge_adapter`.
    """
    origin = adapter_origin(folder)
    name = base_name or origin.base
    if not name:
        raise LabError(f"the adapter in {folder} does not name its base: name it with --base.")
    try:
        if name == MICRO:
            name = micro_with(origin.identity, micro)
        base = open_pretrained(name, micro, four_bit=origin.four_bit, device=torch.device("cpu"))
    except LabError as error:
        if base_name:
            raise
        raise LabError(
            f"the adapter in {folder} was made for the base {name}, which cannot be opened from "
            f"here ({str(error).rstrip('.')}): name it with --base."
        ) from error
    return base, merge_adapter(load_adapter(folder, base))


def write_merged(
    adapter: Path, out: Path, base_name: str | None = None, micro: MicroFolders = tuple
) -> Origin:
    """Write the base model of an adapter with the adapter merged into it.

    Returns:
        What the adapter was made for.

    Raises:
        LabError: as `open_merged` and `save_model`.
    """
    require_empty(out)
    base, model = open_merged(adapter, base_name, micro)
    save_model(model, base, out)
    return adapter_origin(adapter)


def require_mergeable(model: nn.Module, layers: Mapping[str, nn.Linear]) -> None:
    """Check that adapters of these layers can be merged into the model.

    The output layer of a model of `transformers` may share its weight with the embedding; merging
    gives it a weight of its own.

    Args:
        layers: by their paths.

    Raises:
        LabError: a layer shares its weight with another, and cannot have its own.
    """
    for path, layer in layers.items():
        if isinstance(model, HubModel) and path == HubModel.OUTPUT:
            continue
        named = model.named_parameters(remove_duplicate=False)
        others = [n for n, p in named if p is layer.weight and not n.startswith(path)]
        if others:
            raise LabError(
                f"the layer {path} shares its weight with {others[0]}, so an adapter of it cannot "
                "be merged into the model: train one without that layer."
            )


def _linear(weight_OI: Tensor, bias_O: nn.Parameter | None) -> nn.Linear:
    width_out, width_in = weight_OI.shape
    layer = nn.Linear(width_in, width_out, bias=bias_O is not None, device="meta")
    layer.weight = nn.Parameter(weight_OI)
    layer.bias = bias_O
    return layer


def _dense_weight(layer: nn.Linear) -> Tensor:
    return dequantise(layer) if is_four_bit(layer) else layer.weight

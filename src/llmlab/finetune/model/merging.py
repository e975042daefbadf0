"""Models with their adapter folded into the weights."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from llmlab.finetune.model.adapters import (
    Origin,
    adapter_origin,
    holds_four_bits,
    load_adapter,
    lora_layers,
    put_layer,
)
from llmlab.finetune.model.opening import MICRO, micro_with, open_base
from llmlab.finetune.model.pretrained import Base
from llmlab.finetune.model.qlora import dequantise
from llmlab.method.errors import LabError
from llmlab.method.files import unwritable
from llmlab.method.project import Project


@torch.no_grad()
def merge_adapter(model: nn.Module) -> nn.Module:
    """`model` itself with every detour added to the weight beside it, and every weight whole.

    Weights of four bits are those that they stand for, which is what the adapter was trained on;
    their rounding is not undone.

    Raises:
        LabError: an adapted weight is shared with another layer, as that of an output layer may be
            with the embedding.
    """
    adapted = dict(lora_layers(model))
    for path, layer in adapted.items():
        _require_own_weight(model, path, layer.base.weight)
    for path, layer in adapted.items():
        weight_OI = _whole(layer.base)
        merged_OI = (weight_OI.float() + layer.delta_weight().float()).to(weight_OI.dtype)
        put_layer(model, path, _linear(merged_OI, layer.base.bias))
    for path, module in list(model.named_modules()):
        if holds_four_bits(module):
            put_layer(model, path, _linear(_whole(module), module.bias))
    return model.requires_grad_(False)


def save_tuned(model: nn.Module, base: Base, folder: Path) -> None:
    """Write a model of the form of `base`, with no adapter, as a folder that `open_base` opens.

    It is written aside and renamed.

    Raises:
        LabError: the folder holds something, or cannot be written to.
    """
    with _aside(folder) as new:
        base.write(model, new)


def open_merged(
    folder: Path, base_name: str | None = None, project: Project | None = None
) -> tuple[Base, nn.Module]:
    """The base of the adapter in `folder`, and its model with the adapter folded in, on the CPU.

    Args:
        base_name: of the base; the one that the adapter names by default.
        project: as for `open_base`.

    Raises:
        LabError: as `load_adapter`, `open_base` and `merge_adapter`.
    """
    origin = adapter_origin(folder)
    name = base_name or origin.base
    if not name:
        raise LabError(f"the adapter in {folder} does not name its base: name it with --base.")
    try:
        if name == MICRO:
            name = micro_with(origin.identity, project)
        base = open_base(name, project, four_bit=origin.four_bit, device=torch.device("cpu"))
    except LabError as error:
        if base_name:
            raise
        raise LabError(
            f"the adapter in {folder} was made for the base {name}, which cannot be opened from "
            f"here ({str(error).rstrip('.')}): name it with --base."
        ) from error
    return base, merge_adapter(load_adapter(folder, base))


def merge(adapter: Path, out: Path, base_name: str | None = None) -> Origin:
    """Write the base of an adapter with the adapter folded in; what the adapter was made for.

    Errors as `open_merged` and `save_tuned`.
    """
    _require_free(out)
    base, model = open_merged(adapter, base_name)
    save_tuned(model, base, out)
    return adapter_origin(adapter)


def _require_own_weight(model: nn.Module, path: str, weight: nn.Parameter) -> None:
    names = [n for n, p in model.named_parameters(remove_duplicate=False) if p is weight]
    others = [name for name in names if not name.startswith(path)]
    if others:
        raise LabError(
            f"the adapted layer {path} shares its weight with {others[0]}, which the adapter does "
            "not change: use the adapter as it is, or train one without that layer."
        )


def _linear(weight_OI: Tensor, bias_O: nn.Parameter | None) -> nn.Linear:
    width_out, width_in = weight_OI.shape
    layer = nn.Linear(width_in, width_out, bias=bias_O is not None, device="meta")
    layer.weight = nn.Parameter(weight_OI)
    layer.bias = bias_O
    return layer


def _whole(layer: nn.Linear) -> Tensor:
    return dequantise(layer) if holds_four_bits(layer) else layer.weight


@contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of `folder` once it is filled."""
    _require_free(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as aside:
            new = Path(aside, "new")
            new.mkdir()
            yield new
            if folder.is_dir():
                folder.rmdir()
            new.rename(folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    except SafetensorError as error:  # what the disk says, wrapped
        raise unwritable(folder, OSError(str(error))) from error


def _require_free(folder: Path) -> None:
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise LabError(f"{folder} is there already: name a new or empty folder with --out.")

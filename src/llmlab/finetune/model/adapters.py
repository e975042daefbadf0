"""Adapters on disk, in the format of `peft`.

runs/sums/adapter/
    adapter_config.json         as peft writes and reads it
    adapter_model.safetensors   A and B of each layer, under peft's names
    llmlab.json                 which base it was made for, with digests of its weights, of its
                                tokenizer, and of the two files above
"""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from llmlab.finetune.model.hub import HUB, HubModel
from llmlab.finetune.model.lora import LoraLinear, LoraSpec
from llmlab.finetune.model.peft_format import (
    ABOUT,
    ADAPTER,
    MERGE_IT,
    PREFIX,
    WEIGHTS,
    json_bytes,
    matrices_by_layer,
    read_about,
    read_adapter,
    read_config,
    require_chosen,
)
from llmlab.finetune.model.pretrained import Pretrained
from llmlab.finetune.model.qlora import FourBit
from llmlab.finetune.model.replacing import replace_module
from llmlab.finetune.model.spelling import tokenizer_digest
from llmlab.method.errors import LabError
from llmlab.method.files import write_file


@dataclass(frozen=True)
class Origin:
    """The base model that an adapter was made for.

    Attributes:
        base: its name, for `open_pretrained`.
        identity: SHA-256 of its weights; None if the adapter does not say.
        four_bit: how it was quantised, if it was.
        tokenizer: digest of its tokenizer; None if the adapter does not say.
    """

    base: str
    identity: str | None = None
    four_bit: FourBit | None = None
    tokenizer: str | None = None


def save_adapter(model: nn.Module, spec: LoraSpec, base: Pretrained, folder: Path) -> None:
    """Write the adapter of `model` into `folder`, which may hold other files.

    Each file is written aside and renamed; the last one holds the checksums of the others.

    Args:
        model: the model of `base`, adapted by `spec`.

    Raises:
        LabError: the model has no adapter, a weight of it is not finite, or the folder cannot be
            written to.
    """
    layers = {_their_path(path): layer for path, layer in lora_layers(model)}
    if not layers:
        raise LabError("the model has no adapter to save: fine-tune it with lora or qlora.")
    tensors = {}
    for path, layer in layers.items():
        tensors[f"{PREFIX}{path}.lora_A.weight"] = layer.a_RI.detach().cpu().contiguous()
        tensors[f"{PREFIX}{path}.lora_B.weight"] = layer.b_RO.detach().T.cpu().contiguous()
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise LabError(
                f"the adapter's {name.removeprefix(PREFIX)} holds a number that is not finite: "
                "training diverged; start again with a lower learning rate."
            )
    files = {
        WEIGHTS: save_tensors(tensors, metadata={"format": "pt"}),
        ADAPTER: json_bytes(_their_config(spec, base, list(layers))),
    }
    about = {
        "base": base.name,
        "identity": base.identity,
        "four_bit": (found := _four_bit(model)) and asdict(found),
        "tokenizer": tokenizer_digest(base.tokenizer),
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    for name, content in [*files.items(), (ABOUT, json_bytes(about))]:
        write_file(folder / name, content)


def load_adapter(folder: Path, base: Pretrained) -> nn.Module:
    """The model of `base` itself, frozen, with the adapter of ours or of `peft` in `folder`.

    Raises:
        LabError: there is no adapter, one of its files is damaged, it was made for another base, or
            it uses a feature that is not supported.
    """
    config, tensors = read_adapter(folder)
    origin = adapter_origin(folder)
    if origin.identity not in (None, base.identity):
        raise LabError(
            f"the adapter in {folder} was made for the base {origin.base}, whose weights "
            f"({origin.identity[:12]}) differ from those of {base.name} ({base.identity[:12]}): "
            "name the base that it was made for with --base."
        )
    if origin.tokenizer not in (None, tokenizer_digest(base.tokenizer)):
        raise LabError(
            f"the adapter in {folder} was made for the base {origin.base}, whose tokenizer is not "
            f"that of {base.name}, though the weights are the same: put that tokenizer beside the "
            "weights, or name the base that it was made for with --base."
        )
    scale = LoraSpec(
        config.r, config.lora_alpha, "rslora" if config.use_rslora else "alpha/r"
    ).scale
    matrices = matrices_by_layer(tensors, config.r, folder)
    if read_about(folder) is None:  # not ours
        require_chosen(matrices, config, folder)
    adapted = {
        path: _adapted(path, a_RI, b_OR, scale, base, folder)
        for path, (a_RI, b_OR) in matrices.items()
    }
    base.model.requires_grad_(False)
    for path, layer in adapted.items():
        replace_module(base.model, _model_path(base.model, path), layer)
    return base.model


def adapter_origin(folder: Path) -> Origin:
    """What the adapter in `folder` was made for; errors as `load_adapter`."""
    config, about = read_config(folder), read_about(folder)
    if about is None:
        name = config.base_model_name_or_path
        return Origin(f"{HUB}{name}" if name else "")
    four_bit = about.four_bit and FourBit(**about.four_bit.model_dump())
    return Origin(about.base, about.identity, four_bit, about.tokenizer)


def lora_layers(model: nn.Module) -> Iterator[tuple[str, LoraLinear]]:
    """Paths and layers of the adapter of `model`."""
    return ((path, m) for path, m in model.named_modules() if isinstance(m, LoraLinear))


def _adapted(
    path: str, a_RI: Tensor, b_OR: Tensor, scale: float, base: Pretrained, folder: Path
) -> LoraLinear:
    try:
        layer = base.model.get_submodule(_model_path(base.model, path))
    except AttributeError:
        raise LabError(
            f"the adapter in {folder} adapts the layer {path}, which {base.name} does not have: "
            "it was made for another base model; name that one."
        ) from None
    if isinstance(layer, LoraLinear):
        raise LabError(
            f"{base.name} has an adapter at {path} already: open it anew to load the one in "
            f"{folder}."
        )
    if not isinstance(layer, nn.Linear):
        raise LabError(
            f"the adapter in {folder} adapts {path}, which in {base.name} is a "
            f"{type(layer).__name__} and not a linear layer: {MERGE_IT}"
        )
    theirs, ours = (b_OR.shape[0], a_RI.shape[1]), (layer.out_features, layer.in_features)
    if theirs != ours:
        raise LabError(
            f"the adapter in {folder} fits a layer {path} of shape {list(theirs)}, and that of "
            f"{base.name} has {list(ours)}: it was made for another base; name that one."
        )
    adapted = LoraLinear(layer, a_RI.shape[0], scale)
    with torch.no_grad():
        adapted.a_RI.copy_(a_RI)
        adapted.b_RO.copy_(b_OR.T)
    return adapted


def _their_config(spec: LoraSpec, base: Pretrained, paths: list[str]) -> dict[str, object]:
    leaves = sorted({path.rpartition(".")[2] for path in paths})
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM" if isinstance(base.model, HubModel) else None,
        "base_model_name_or_path": base.name.removeprefix(HUB),
        "r": spec.rank,
        "lora_alpha": spec.alpha,
        "use_rslora": spec.scaling == "rslora",
        "target_modules": leaves,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "modules_to_save": None,
        "inference_mode": True,
    }


def _their_path(path: str) -> str:
    """The path of a layer in the model that peft sees: the inner one of `transformers`."""
    return path.removeprefix(HubModel.PREFIX)


def _model_path(model: nn.Module, path: str) -> str:
    return HubModel.PREFIX + path if isinstance(model, HubModel) else path


def is_four_bit(module: nn.Module) -> bool:
    """Whether a module has 4-bit weights; does not load the library if it has none."""
    return getattr(getattr(module, "weight", None), "quant_state", None) is not None


def _four_bit(model: nn.Module) -> FourBit | None:
    """How a model was quantised, read from its first 4-bit layer."""
    states = (module.weight.quant_state for module in model.modules() if is_four_bit(module))
    return next((FourBit(state.nested, state.blocksize) for state in states), None)

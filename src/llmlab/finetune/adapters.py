"""Adapters on disk, in the form of `peft`, and models with their adapter folded in.

runs/sums/adapter/
    adapter_config.json         as peft writes and reads it
    adapter_model.safetensors   A and B of each layer, under peft's names
    llmlab.json                 which base it was made for, and the SHA-256 of the two files above
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from llmlab.finetune.bases import (
    ADAPTER,
    HUB,
    MICRO,
    Base,
    HubModel,
    micro_with,
    open_base,
)
from llmlab.finetune.lora import LoraLinear, LoraSpec
from llmlab.finetune.qlora import FourBit, dequantise
from llmlab.method.errors import LabError
from llmlab.method.files import unwritable, write_file
from llmlab.method.project import Project

WEIGHTS = "adapter_model.safetensors"
ABOUT = "llmlab.json"
PREFIX = "base_model.model."
"""What peft puts before the path of a layer."""

OTHER_KINDS = (
    *("use_dora", "fan_in_fan_out", "modules_to_save", "rank_pattern", "alpha_pattern"),
    *("lora_bias", "trainable_token_indices", "target_parameters", "layer_replication"),
    *("alora_invocation_tokens", "arrow_config", "megatron_config"),
)
"""Settings of peft by which an adapter computes something else than ours."""
PLAIN_STARTS = (True, False, None, "gaussian", "orthogonal", "eva")
"""Starts of an adapter that leave the base as it is."""


@dataclass(frozen=True)
class Origin:
    """What an adapter was made for.

    Attributes:
        base: name of the base, for `open_base`.
        identity: SHA-256 of its weights; None where the adapter does not know it.
        four_bit: how the base was quantised, if it was.
    """

    base: str
    identity: str | None = None
    four_bit: FourBit | None = None


def save_adapter(model: nn.Module, spec: LoraSpec, base: Base, folder: Path) -> None:
    """Write the adapter of `model` into `folder`, where other files may lie.

    Each file is written aside and renamed; the last says what the others must be.

    Args:
        model: of `base`, adapted by `spec`.

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
        ADAPTER: _json(_their_config(spec, base, list(layers))),
    }
    about = {
        "base": base.name,
        "identity": base.identity,
        "four_bit": (found := _four_bit(model)) and asdict(found),
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    for name, content in [*files.items(), (ABOUT, _json(about))]:
        write_file(folder / name, content)


def load_adapter(folder: Path, base: Base) -> nn.Module:
    """The model of `base` itself, frozen, with the adapter from `folder`, ours or of `peft`.

    Raises:
        LabError: there is no adapter, a file of it is damaged, it was made for another base, or it
            computes something that ours does not.
    """
    config, tensors = _read(folder)
    origin = adapter_origin(folder)
    if origin.identity not in (None, base.identity):
        raise LabError(
            f"the adapter in {folder} was made for the base {origin.base}, whose weights are "
            f"others ({origin.identity[:12]}) than those of {base.name} ({base.identity[:12]}): "
            "name the base that it was made for with --base."
        )
    scale = LoraSpec(
        config["r"], config["lora_alpha"], "rslora" if config.get("use_rslora") else "alpha/r"
    ).scale
    adapted = {
        path: _adapted(path, a_RI, b_OR, scale, base, folder)
        for path, (a_RI, b_OR) in _pairs(tensors, config["r"], folder).items()
    }
    base.model.requires_grad_(False)
    for path, layer in adapted.items():
        _put(base.model, _our_path(base.model, path), layer)
    return base.model


def adapter_origin(folder: Path) -> Origin:
    """What the adapter in `folder` was made for; errors as `load_adapter`."""
    config, about = _described(folder / ADAPTER), folder / ABOUT
    if not about.is_file():
        name = config.get("base_model_name_or_path")
        return Origin(f"{HUB}{name}" if name else "")
    said = _described(about)
    try:
        four_bit = said["four_bit"] and FourBit(**said["four_bit"])
        return Origin(said["base"], said["identity"], four_bit)
    except (KeyError, TypeError) as error:
        raise LabError(f"{about} does not say what its adapter was made for: copy it again.") from (
            error
        )


def lora_layers(model: nn.Module) -> Iterator[tuple[str, LoraLinear]]:
    """Paths and layers of the adapter of `model`."""
    return ((path, m) for path, m in model.named_modules() if isinstance(m, LoraLinear))


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
        _put(model, path, _linear(merged_OI, layer.base.bias))
    for path, module in list(model.named_modules()):
        if _is_quantised(module):
            _put(model, path, _linear(_whole(module), module.bias))
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


def _read(folder: Path) -> tuple[dict[str, object], dict[str, Tensor]]:
    """Configuration and weights of an adapter that ours can stand for, whole files."""
    config = _described(folder / ADAPTER)
    _require_our_kind(config, folder)
    about = folder / ABOUT
    expected = _described(about).get("sha256", {}) if about.is_file() else {}
    for name in (ADAPTER, WEIGHTS):
        if not (folder / name).is_file():
            raise LabError(f"{folder} holds no {name}: an adapter has {ADAPTER} and {WEIGHTS}.")
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if expected.get(name, digest) != digest:
            raise LabError(
                f"{folder / name} is not the file that was saved (its SHA-256 differs): it was cut "
                "short or changed; copy or train the adapter again."
            )
    try:
        return config, load_tensors((folder / WEIGHTS).read_bytes())
    except SafetensorError as error:
        raise LabError(
            f"{folder / WEIGHTS} cannot be read ({error}): it was cut short or is no file of "
            "weights; copy or train the adapter again."
        ) from error


def _described(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        folder = path.parent
        lacks = f"{folder} holds no adapter" if folder.is_dir() else f"there is no folder {folder}"
        raise LabError(f"{lacks}: name a folder with {ADAPTER} and {WEIGHTS}.") from error
    except ValueError as error:
        raise LabError(f"{path} is not JSON ({error}): copy the adapter again.") from error
    if not isinstance(found, dict):
        raise LabError(f"{path} does not describe an adapter: copy the adapter again.")
    return found


def _require_our_kind(config: Mapping[str, object], folder: Path) -> None:
    kind = config.get("peft_type")
    if kind != "LORA":
        raise LabError(f"{folder} holds an adapter of the kind {kind}: only LORA can be loaded.")
    other = next((name for name in OTHER_KINDS if config.get(name)), None)
    if config.get("bias", "none") != "none":
        other = "bias"
    if config.get("init_lora_weights", True) not in PLAIN_STARTS:
        other = "init_lora_weights"  # of a kind that changes the base, too
    if other:
        raise LabError(
            f"the adapter in {folder} has {other} {config[other]}, which ours does not compute: "
            "merge it with peft, and open what comes of it."
        )
    numbers = {name: config.get(name) for name in ("r", "lora_alpha")}
    for name, value in numbers.items():
        if not isinstance(value, int | float) or value <= 0:
            raise LabError(f"{folder / ADAPTER} has {name} {value}: it must be above 0.")


def _pairs(
    tensors: Mapping[str, Tensor], rank: int, folder: Path
) -> dict[str, tuple[Tensor, Tensor]]:
    """For each layer A of shape [R, I] and B of shape [O, R]."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in sorted(tensors.items()):
        path, _, kind = name.removeprefix(PREFIX).rpartition(".lora_")
        if not (name.startswith(PREFIX) and path and kind in ("A.weight", "B.weight")):
            raise LabError(
                f"{folder / WEIGHTS} holds {name}, which is no part of a LoRA adapter of linear "
                "layers: name a folder that holds one."
            )
        found.setdefault(path, {})[kind] = tensor
    for path, parts in found.items():
        a_RI, b_OR = parts.get("A.weight"), parts.get("B.weight")
        if a_RI is None or b_OR is None or not a_RI.shape[0] == b_OR.shape[-1] == rank:
            raise LabError(
                f"{folder / WEIGHTS} lacks a part of rank {rank} for the layer {path}: copy or "
                "train the adapter again."
            )
    if not found:
        raise LabError(f"{folder / WEIGHTS} adapts no layer: train the adapter again.")
    return {path: (parts["A.weight"], parts["B.weight"]) for path, parts in found.items()}


def _adapted(
    path: str, a_RI: Tensor, b_OR: Tensor, scale: float, base: Base, folder: Path
) -> LoraLinear:
    try:
        layer = base.model.get_submodule(_our_path(base.model, path))
    except AttributeError:
        raise LabError(
            f"the adapter in {folder} adapts the layer {path}, which {base.name} does not have: "
            "it was made for another base; name that one."
        ) from None
    if not isinstance(layer, nn.Linear):
        raise LabError(
            f"the adapter in {folder} adapts {path}, which in {base.name} is a "
            f"{type(layer).__name__} and no linear layer: open the base anew, or name the one "
            "that it was made for."
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


def _their_config(spec: LoraSpec, base: Base, paths: list[str]) -> dict[str, object]:
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
    """The path in the model that peft sees, which is the inner one of `transformers`."""
    return path.removeprefix(HubModel.PREFIX)


def _our_path(model: nn.Module, path: str) -> str:
    return HubModel.PREFIX + path if isinstance(model, HubModel) else path


def _put(model: nn.Module, path: str, layer: nn.Module) -> None:
    parent, _, leaf = path.rpartition(".")
    setattr(model.get_submodule(parent), leaf, layer)


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


def _is_quantised(module: nn.Module) -> bool:
    """Whether its weights are of four bits; without loading the library where none are."""
    return getattr(getattr(module, "weight", None), "quant_state", None) is not None


def _whole(layer: nn.Linear) -> Tensor:
    return dequantise(layer) if _is_quantised(layer) else layer.weight


def _four_bit(model: nn.Module) -> FourBit | None:
    """How the model was quantised, by its first layer that is."""
    states = (module.weight.quant_state for module in model.modules() if _is_quantised(module))
    return next((FourBit(state.nested, state.blocksize) for state in states), None)


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


def _json(value: Mapping[str, object]) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()

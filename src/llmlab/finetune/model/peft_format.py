"""The files of an adapter as `peft` writes and reads them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor

from llmlab.method.errors import LabError

ADAPTER = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
ABOUT = "llmlab.json"
PREFIX = "base_model.model."
"""What peft puts before the path of a layer."""
UNSUPPORTED = (
    *("use_dora", "fan_in_fan_out", "modules_to_save", "rank_pattern", "alpha_pattern"),
    *("lora_bias", "trainable_token_indices", "target_parameters", "layer_replication"),
    *("alora_invocation_tokens", "arrow_config", "megatron_config"),
)
"""Settings of peft by which an adapter computes something else than ours."""
MERGE_IT = "merge it into its base with peft, and name the folder of the merged model."
SUPPORTED_STARTS = (True, False, None, "gaussian", "orthogonal", "eva")
"""Starts of an adapter that leave the base as it is."""


def read_adapter(folder: Path) -> tuple[dict[str, object], dict[str, Tensor]]:
    """Configuration and weights of an adapter that ours can stand for, whole files."""
    config = read_json(folder / ADAPTER)
    _require_plain_lora(config, folder)
    about = folder / ABOUT
    expected = read_json(about).get("sha256", {}) if about.is_file() else {}
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


def read_json(path: Path) -> dict[str, object]:
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


def _require_plain_lora(config: Mapping[str, object], folder: Path) -> None:
    kind = config.get("peft_type")
    if kind != "LORA":
        raise LabError(f"{folder} holds an adapter of the kind {kind}: only LORA can be loaded.")
    other = next((name for name in UNSUPPORTED if config.get(name)), None)
    if config.get("bias", "none") != "none":
        other = "bias"
    if config.get("init_lora_weights", True) not in SUPPORTED_STARTS:
        other = "init_lora_weights"  # of a kind that changes the base, too
    if other:
        raise LabError(
            f"the adapter in {folder} has {other} {config[other]}, which llmlab does not support: "
            f"{MERGE_IT}"
        )
    numbers = {name: config.get(name) for name in ("r", "lora_alpha")}
    for name, value in numbers.items():
        if not isinstance(value, int | float) or value <= 0:
            raise LabError(f"{folder / ADAPTER} has {name} {value}: it must be above 0.")


def matrices_by_layer(
    tensors: Mapping[str, Tensor], rank: int, folder: Path
) -> dict[str, tuple[Tensor, Tensor]]:
    """For each layer A of shape [R, I] and B of shape [O, R]."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in sorted(tensors.items()):
        path, _, kind = name.removeprefix(PREFIX).rpartition(".lora_")
        if not (name.startswith(PREFIX) and path and kind in ("A.weight", "B.weight")):
            raise LabError(
                f"{folder / WEIGHTS} holds {name}, which belongs to no LoRA adapter of linear "
                f"layers: {MERGE_IT}"
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


def json_bytes(value: Mapping[str, object]) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()

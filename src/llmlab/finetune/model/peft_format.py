"""The files of an adapter as `peft` writes and reads them."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor

from llmlab.finetune.model.pretrained import first_line
from llmlab.method.errors import LabError

ADAPTER = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
PICKLED = "adapter_model.bin"
"""Weights of an older peft, as a pickle, which could run code."""
ABOUT = "llmlab.json"
PREFIX = "base_model.model."
"""What peft writes before the path of a layer."""
UNSUPPORTED = (
    *("fan_in_fan_out", "modules_to_save", "rank_pattern", "alpha_pattern", "lora_bias"),
    *("trainable_token_indices", "target_parameters", "layer_replication", "kasa_config"),
    *("alora_invocation_tokens", "arrow_config", "megatron_config", "monteclora_config"),
)
"""Settings of peft that make an adapter compute something else than plain LoRA; so does any
`use_...` but `use_rslora`, those of a newer peft too."""
MERGE_IT = "merge it into its base with peft, and name the folder of the merged model."
SUPPORTED_STARTS = (True, False, None, "gaussian", "orthogonal", "eva")
"""Ways to initialise an adapter that leave the base as it is."""
LARGEST_JSON = 2**24
"""Most bytes of a configuration that is read."""
CHOOSING = ("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern")
"""Settings of peft that choose the layers of an adapter."""
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class AdapterConfig(BaseModel):
    """`adapter_config.json`: what of it decides what a plain LoRA adapter computes."""

    model_config = ConfigDict(extra="allow", frozen=True)

    peft_type: str | None = None
    r: Annotated[int, Field(gt=0, lt=2**31)]
    lora_alpha: Positive
    use_rslora: bool = False
    bias: str = "none"
    init_lora_weights: bool | str | None = True
    base_model_name_or_path: str | None = None


class StoredFourBit(BaseModel):
    """How the base of an adapter was quantised."""

    model_config = ConfigDict(frozen=True)

    double_quantisation: bool
    block_size: int


class About(BaseModel):
    """`llmlab.json`: what our adapters say beyond what peft does.

    Attributes:
        sha256: of the other files, in hexadecimal, by their names.
    """

    model_config = ConfigDict(frozen=True)

    base: str
    identity: str
    four_bit: StoredFourBit | None
    tokenizer: str | None = None
    sha256: dict[str, str] = Field(default_factory=dict)


def read_adapter(folder: Path) -> tuple[AdapterConfig, dict[str, Tensor]]:
    """Configuration and weights of an adapter that can be loaded, from undamaged files."""
    config = read_config(folder)
    about = read_about(folder)
    expected = about.sha256 if about else {}
    for name in (ADAPTER, WEIGHTS):
        if not (folder / name).is_file():
            raise LabError(f"{folder} holds no {name}: {_remedy(folder)}.")
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if expected.get(name, digest) != digest:
            raise LabError(
                f"{folder / name} is not the file that was saved (its SHA-256 differs): it was cut "
                "short or changed; copy or train the adapter again."
            )
    try:
        return config, load_tensors((folder / WEIGHTS).read_bytes())
    except (SafetensorError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise LabError(
            f"{folder / WEIGHTS} cannot be read ({first_line(error)}): it was cut short or is not "
            "a file of weights; copy or train the adapter again."
        ) from error


def _remedy(folder: Path) -> str:
    if (folder / PICKLED).is_file():
        return f"load {PICKLED} with peft and save it again, which writes {WEIGHTS}"
    return f"an adapter has {ADAPTER} and {WEIGHTS}"


def read_config(folder: Path) -> AdapterConfig:
    """The configuration of the adapter in `folder`, if it is one that can be loaded."""
    values = _read_json(folder / ADAPTER)
    _require_plain_lora(values, folder)
    return _validated(AdapterConfig, values, folder / ADAPTER)


def read_about(folder: Path) -> About | None:
    """What our own adapters say of themselves; None for those of peft."""
    path = folder / ABOUT
    return _validated(About, _read_json(path), path) if path.is_file() else None


def _read_json(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_JSON + 1)
        if len(content) > LARGEST_JSON:
            raise ValueError(f"it is longer than {LARGEST_JSON:,} bytes")
        found = json.loads(content.decode("utf-8-sig"))
    except OSError as error:
        folder = path.parent
        lacks = f"{folder} holds no adapter" if folder.is_dir() else f"there is no folder {folder}"
        raise LabError(f"{lacks}: name a folder with {ADAPTER} and {WEIGHTS}.") from error
    except (ValueError, RecursionError) as error:
        raise LabError(
            f"{path} is not JSON ({first_line(error)}): copy the adapter again."
        ) from error
    if not isinstance(found, dict):
        raise LabError(f"{path} does not describe an adapter: copy the adapter again.")
    return found


_Model = TypeVar("_Model", bound=BaseModel)


def _validated(form: type[_Model], values: dict[str, object], path: Path) -> _Model:
    try:
        return form.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        found = "" if first["type"] == "missing" else f" {first['input']!r:.40}"
        raise LabError(
            f"{path} has {place}{found} ({first['msg']}): copy the adapter again."
        ) from error


def _require_plain_lora(config: Mapping[str, object], folder: Path) -> None:
    kind = config.get("peft_type")
    if kind != "LORA":
        raise LabError(
            f"{folder} holds an adapter of the kind {kind!r:.40}, and only LORA can be "
            f"loaded: {MERGE_IT}"
        )
    variants = [name for name in config if name.startswith("use_") and name != "use_rslora"]
    other = next((name for name in (*variants, *UNSUPPORTED) if config.get(name)), None)
    if config.get("bias", "none") != "none":
        other = "bias"
    if config.get("init_lora_weights", True) not in SUPPORTED_STARTS:
        other = "init_lora_weights"  # of a kind that changes the base, too
    if other:
        raise LabError(
            f"the adapter in {folder} has {other} {config[other]!r:.40}, which llmlab does not "
            f"support: {MERGE_IT}"
        )


def matrices_by_layer(
    tensors: Mapping[str, Tensor], rank: int, folder: Path
) -> dict[str, tuple[Tensor, Tensor]]:
    """For each layer, A of shape [R, I] and B of shape [O, R].

    Raises:
        LabError: a tensor belongs to no such pair, or a pair is not whole.
    """
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
        if a_RI is None or b_OR is None or not _fit(a_RI, b_OR, rank):
            raise LabError(
                f"{folder / WEIGHTS} lacks a part of rank {rank} for the layer {path}: copy or "
                "train the adapter again."
            )
        if not (a_RI.isfinite().all() and b_OR.isfinite().all()):
            raise LabError(
                f"{folder / WEIGHTS} holds a number that is not finite for the layer {path}: "
                "training diverged; train the adapter again with a lower learning rate."
            )
    if not found:
        raise LabError(f"{folder / WEIGHTS} adapts no layer: train the adapter again.")
    return {path: (parts["A.weight"], parts["B.weight"]) for path, parts in found.items()}


def require_chosen(paths: Iterable[str], config: AdapterConfig, folder: Path) -> None:
    """Raise LabError if peft would leave out one of these layers, as `CHOOSING` says."""
    given = {name: value for name in CHOOSING if (value := (config.model_extra or {}).get(name))}
    targets = given.get("target_modules", "all-linear")
    leaves = {path.rpartition(".")[2] for path in paths}
    named = isinstance(targets, list) and all(leaf in targets for leaf in leaves)
    if len(given) < 2 and (named or targets == "all-linear"):
        return  # as most are, and peft takes seconds to import
    from peft import LoraConfig
    from peft.tuners.tuners_utils import check_target_module_exists

    try:
        chosen = LoraConfig(**given)
        other = next((path for path in paths if not check_target_module_exists(chosen, path)), None)
    except (ValueError, TypeError, AttributeError, re.error) as error:
        raise LabError(
            f"{folder / ADAPTER} does not say which layers it adapts ({first_line(error)}): copy "
            "the adapter again."
        ) from error
    if other:
        raise LabError(
            f"{folder / WEIGHTS} adapts {other}, a layer that {' and '.join(given)} in {ADAPTER} "
            f"do not choose, so that peft leaves it out: {MERGE_IT}"
        )


def _fit(a_RI: Tensor, b_OR: Tensor, rank: int) -> bool:
    """Whether these are two matrices of numbers with that rank between them."""
    are_matrices = a_RI.ndim == b_OR.ndim == 2 and a_RI.is_floating_point()
    return are_matrices and b_OR.is_floating_point() and a_RI.shape[0] == b_OR.shape[1] == rank


def json_bytes(value: Mapping[str, object]) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()

"""Base models of Hugging Face `transformers`: from the hub, its cache or a folder."""

import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from string import printable
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from llmlab.finetune.model.codecs import HubCodec, TextCodec
from llmlab.finetune.model.gguf import is_gguf, unpacked
from llmlab.finetune.model.lora import target_layers
from llmlab.finetune.model.peft_format import ADAPTER
from llmlab.finetune.model.pretrained import Pretrained, first_line, weights_digest
from llmlab.finetune.model.qlora import FourBit, quantise
from llmlab.method.declare.catalog import suggestion
from llmlab.method.documents import in_one_line
from llmlab.method.errors import LabError
from llmlab.runs.shell import command

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

HUB = "hf:"
HUB_CONFIG = "config.json"
FOREIGN_CODE = {"trust_remote_code": False}
"""No program that comes with a model is run, and nobody is asked whether to."""
OTHER_FORMATS = ["*/*", "*.bin", "*.pth", "consolidated*"]
"""Files of a model on the hub that hold the same weights in other formats."""
TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json"),
    *("added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "spiece.model"),
    *("sentencepiece.bpe.model", "tekken.json", "chat_template.jinja", "chat_template.json"),
)
"""Files of a tokenizer; some are for programs other than `transformers`."""

POSITIONS = ("max_position_embeddings", "max_seq_len")
"""Names of a model's number of positions; `transformers` says -1 where there is no limit."""

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}
"""Precisions by their names in a safetensors file."""


COPY_TOKENIZER = "copy its tokenizer.json and tokenizer_config.json beside the weights"
Resized = tuple[str, Sequence[int], Sequence[int]]
"""A weight by name, its shape in a file, and its shape in the model."""


class HubModel(nn.Module):
    """A causal language model of `transformers` that returns logits only.

    Attributes:
        inner: the model itself; the paths of its layers follow `PREFIX`, and `OUTPUT` is that of
            the layer that gives the logits.
    """

    PREFIX = "inner."
    OUTPUT = "inner.lm_head"

    def __init__(self, inner: "PreTrainedModel") -> None:
        super().__init__()
        self.inner = inner

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Logits [B, T, V]; without a mask, so padding may only stand at the end of a row."""
        return self.inner(input_ids=tokens_BT, use_cache=False).logits


def open_hub_model(name: str, four_bit: FourBit | None, device: torch.device) -> Pretrained:
    """Open the model with this id on the hub, or in this folder; errors as `open_pretrained`."""
    folder = _local_folder(name.removeprefix(HUB))
    _require_config(folder, name)
    tokenizer = _load_tokenizer(folder, name)
    inner, left_out = _load_model(folder, name, four_bit, device)
    model = HubModel(inner)
    _check_vocabulary(model, tokenizer, name)

    codec = HubCodec(tokenizer, _stops(model.inner))

    def write(tuned: HubModel, target: Path) -> None:
        written = _unquantised_model(folder, tuned.inner)
        if codec.stops != codec.stops_of_model:  # so that transformers ends where an answer does
            written.generation_config.eos_token_id = sorted(codec.stops)
        written.save_pretrained(target)
        tokenizer.save_pretrained(target)

    identity = weights_digest(sorted(folder.glob("*.safetensors")))
    context = context_of(model.inner.config, tokenizer)
    return Pretrained(name, model, codec, context, identity, write, folder, left_out)


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy a tokenizer's files as they are, for other programs.

    `transformers` writes them in a form of its own, and only those that it reads itself.
    """
    for file in (source / name for name in TOKENIZER_FILES):
        if file.is_file():
            shutil.copyfile(file, target / file.name)


def context_of(config: "PretrainedConfig", tokenizer: "PreTrainedTokenizerBase") -> int:
    """The most tokens that a model has positions for and its tokenizer allows."""
    positions = (getattr(config, name, None) for name in POSITIONS)
    return min([tokenizer.model_max_length, *(n for n in positions if n and n > 0)])


def _stops(model: "PreTrainedModel") -> frozenset[int]:
    """Ids at which `transformers` ends what the model generates."""
    found = model.generation_config.eos_token_id
    return frozenset([found] if isinstance(found, int) else found or ())


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise LabError(
            "Hugging Face models need the package transformers, which is not installed: "
            'install it with pip install "llmlab[hub]".'
        ) from error
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()  # our own errors say what is wrong
    return transformers


def _local_folder(source: str) -> Path:
    """The folder `source`, or the one that the model `source` is unpacked or downloaded into."""
    _transformers()
    if is_gguf(source):
        return unpacked(source)
    folder = Path(source)
    if not folder.is_dir():
        from huggingface_hub import snapshot_download

        try:
            folder = Path(snapshot_download(source, ignore_patterns=OTHER_FORMATS))
        except Exception as error:  # of the network, of the hub, of the name: many kinds
            beside = [str(path) for path in folder.parent.glob("*") if path.is_dir()]
            raise LabError(
                f'there is no folder "{source}"{suggestion(source, beside)}, and Hugging Face '
                "does not give a model of that name to this machine: name a folder that holds "
                "config.json, model.safetensors and a tokenizer."
            ) from error
    if (folder / ADAPTER).is_file():
        raise LabError(
            f"{source} is an adapter, not a base model: name the model that it was made for, or "
            "merge the two with `llmlab merge`."
        )
    if not (folder / HUB_CONFIG).is_file() or not any(folder.glob("*.safetensors")):
        raise LabError(
            f"{source} holds no model in the format of transformers: a folder with config.json "
            "and model.safetensors is needed."
        )
    return folder


def _require_config(folder: Path, name: str) -> None:
    """Raise LabError if `transformers` does not know a model, or its folder lacks weights."""
    try:
        config = _transformers().AutoConfig.from_pretrained(folder, **FOREIGN_CODE)
    except Exception as error:  # of the file, of an architecture: many kinds
        raise LabError(
            f"the {HUB_CONFIG} of {name} cannot be used ({in_one_line(error)}): "
            f"{_remedy(name, folder, 'fetch it again')}, or "
            "choose a model that transformers knows without code of its own."
        ) from error
    if getattr(config, "quantization_config", None):
        raise LabError(
            f"the weights of {name} are quantised already: name the model that they were made "
            "from; --method qlora quantises it here."
        )


def _load_tokenizer(folder: Path, name: str) -> "PreTrainedTokenizerBase":
    transformers = _transformers()
    try:
        return transformers.AutoTokenizer.from_pretrained(folder, **FOREIGN_CODE)
    except Exception as error:  # of the files: many kinds
        raise LabError(
            f"the tokenizer of {name} cannot be read: {_remedy(name, folder, COPY_TOKENIZER)}."
        ) from error


def _load_model(
    folder: Path, name: str, four_bit: FourBit | None, device: torch.device
) -> "tuple[PreTrainedModel, tuple[str, ...]]":
    """The model, and the names of weights in its files that it has no place for.

    In float32; on CUDA what stays beside 4-bit weights is in bfloat16.
    """
    transformers = _transformers()
    halved = four_bit is not None and device.type == "cuda"
    options: dict[str, Any] = {"dtype": torch.bfloat16 if halved else torch.float32}
    directly = four_bit is not None and four_bit.block_size == _LIBRARY_BLOCK_SIZE
    if directly:
        logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)  # as in qlora
        options["quantization_config"] = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=four_bit.double_quantisation,
            bnb_4bit_compute_dtype=options["dtype"],
        )
        options["device_map"] = {"": device}
    try:
        if four_bit:  # loading in four bits would make linear layers of others
            empty = _empty_model(folder, options["dtype"])
            require_linear_layers(HubModel(empty), name)
            _require_same_shapes(_resized(folder, empty), name)
        model, report = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told of below, by name
            **FOREIGN_CODE,
            **options,
        )
    except LabError:
        raise
    except Exception as error:  # of the files, of an architecture: many kinds
        if "Unrecognized configuration class" in str(error):
            raise LabError(
                f"{name} is not a causal language model, which continues a text: choose one."
            ) from error
        raise LabError(
            f"{name} cannot be loaded as a causal language model ({first_line(error)}): "
            f"{_remedy(name, folder, 'copy or fetch its files again')}, or choose another model."
        ) from error
    left_out = _require_same_weights(model, report, name)
    model = model if directly else model.to(device)
    return quantise(model, four_bit) if four_bit else model, left_out


def _require_same_weights(
    model: "PreTrainedModel", report: dict[str, Any], name: str
) -> tuple[str, ...]:
    """Check that the model took all the weights that its configuration describes.

    Returns:
        Names of other weights in the files, such as those of a value head or of images.
    """
    _require_same_shapes(report["mismatched_keys"], name)
    if missing := sorted(report["missing_keys"]):
        raise LabError(
            f"{missing[0]}{_and_others(missing)} is missing from the weights of {name}: fetch "
            f"them again, with the {HUB_CONFIG} that belongs to them."
        )
    left_out = sorted(report["unexpected_keys"])
    modules = {path for path, _ in model.named_modules()} - {"", model.base_model_prefix}
    own = [key for key in left_out if modules & {*_parents(key)}]
    if own:
        raise LabError(
            f"the weights of {name} hold {own[0]}{_and_others(own)}, for which its {HUB_CONFIG} "
            "has no place: fetch both from the same place."
        )
    return tuple(left_out)


def _resized(folder: Path, model: "PreTrainedModel") -> Iterator[Resized]:
    """Weights of the files whose shapes are not those of the model's; quantising hides them."""
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in wanted.keys() & file.keys():
                found = tuple(file.get_slice(name).get_shape())
                if found != wanted[name]:
                    yield name, found, wanted[name]


def _require_same_shapes(resized: Iterable[Resized], name: str) -> None:
    if resized := sorted(resized):
        weight, found, wanted = resized[0]
        raise LabError(
            f"{weight}{_and_others(resized)} has the shape {[*found]} in the weights of {name} and "
            f"{[*wanted]} by its {HUB_CONFIG}: fetch both from the same place."
        )


def _parents(path: str) -> Iterator[str]:
    """`a` and `a.b` of `a.b.c`."""
    parts = path.split(".")
    return (".".join(parts[:stop]) for stop in range(1, len(parts)))


def _and_others(names: Sequence[object]) -> str:
    return f" (and {len(names) - 1:,} more)" if len(names) > 1 else ""


_LIBRARY_BLOCK_SIZE = 64
"""The only block size that BitsAndBytesConfig offers."""


def _empty_model(folder: Path, dtype: torch.dtype, **changes: object) -> "PreTrainedModel":
    """The model in `folder` without its weights, with changes of its configuration."""
    transformers = _transformers()
    config = transformers.AutoConfig.from_pretrained(folder, **FOREIGN_CODE, **changes)
    with torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)


def _unquantised_model(folder: Path, tuned: "PreTrainedModel") -> "PreTrainedModel":
    """The model in `folder` with the weights of `tuned`, each in the precision that it has there.

    What 4-bit loading added to `tuned` is left out.
    """
    stored = _stored_dtypes(folder)
    usual = max(stored.values(), key=list(stored.values()).count)
    model = _empty_model(folder, usual, tie_word_embeddings=tuned.config.tie_word_embeddings)
    weights = {
        name: tensor.to(stored.get(name, usual)) if tensor.is_floating_point() else tensor
        for name, tensor in tuned.state_dict().items()
    }
    model.load_state_dict(weights, assign=True)
    model.tie_weights()
    model.generation_config = tuned.generation_config
    return model


def _stored_dtypes(folder: Path) -> dict[str, torch.dtype]:
    """The precision of each weight in the files of a model; integers apart."""
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            found |= {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    return {name: DTYPES[dtype] for name, dtype in found.items() if dtype in DTYPES}


def _check_vocabulary(model: HubModel, tokenizer: "PreTrainedTokenizerBase", name: str) -> None:
    known = model.inner.get_input_embeddings().num_embeddings
    if len(tokenizer) > known:
        raise LabError(
            f"the tokenizer of {name} has {len(tokenizer)} tokens and its model {known}: put the "
            "tokenizer that it was trained with beside the weights."
        )


def require_end(codec: TextCodec, name: str) -> None:
    """Check that there is a token that teaches a model where an answer ends.

    Raises:
        LabError: there is none.
    """
    if codec.end is None:
        raise LabError(
            f"the tokenizer of {name} has no token that ends an answer: set eos_token in its "
            "tokenizer_config.json."
        )


def require_spelling(base: Pretrained) -> None:
    """Check that a tokenizer of `transformers` spells text: some load without their vocabulary.

    Raises:
        LabError: it makes no token of any letter.
    """
    if isinstance(base.tokenizer, HubCodec) and not base.tokenizer.tokens(printable)[0]:
        copy_it = f"copy the tokenizer.json that belongs to the model into {base.folder}"
        raise LabError(
            f"the tokenizer of {base.name} makes no token of any letter: "
            f"{_remedy(base.name, base.folder, copy_it)}."
        )


def _remedy(name: str, folder: Path, of_files: str) -> str:
    """What to do about damaged files: those of a GGUF file are a copy that is made again."""
    is_copy = is_gguf(name.removeprefix(HUB))
    return f"remove {folder}, so that it is unpacked again" if is_copy else of_files


def require_linear_layers(model: nn.Module, name: str) -> None:
    """Check that a model has layers that can be adapted or quantised.

    Raises:
        LabError: it has none, as a GPT-2 of `transformers`.
    """
    if not any(target_layers(model)):
        source = name.removeprefix(HUB)
        raise LabError(
            f"{name} has no linear layer but its output layer: if it is a GPT-2, run "
            f"{command('llmlab', 'import', source)} and name the folder that this makes."
        )

"""What fine-tuning starts from: any base model, its tokenizer, and how it is written again.

A base is named by `micro` (the book's own, of four skills), the folder of such a model, a run or
checkpoint of `llmlab train`, or `hf:` and an id on the Hugging Face hub, or a folder of that form
with `hf:` or without.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from llmlab.finetune.base import CONFIG, WEIGHTS, load_base, save_base
from llmlab.finetune.lora import target_layers
from llmlab.finetune.qlora import FourBit, quantise
from llmlab.finetune.skills import END, TOKENIZER
from llmlab.gpt import checkpoints
from llmlab.gpt.session import CHECKPOINTS, open_model
from llmlab.gpt.session import TOKENIZER as TOKENIZER_FILE
from llmlab.gpt.text import TextTokenizer
from llmlab.method.declare.catalog import suggestion
from llmlab.method.declare.experiment import SCALES
from llmlab.method.errors import LabError
from llmlab.method.project import Project

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MICRO = "micro"
HUB = "hf:"
ADAPTER = "adapter_config.json"
HUB_CONFIG = "config.json"

LEARNED = ("adapter", "model")
"""Where a fine-tuning run keeps what it learned, below its folder."""
NOT_NEEDED = ["*/*", "*.bin", "*.pth", "consolidated*"]
"""Of what the hub has of a model: the same weights in other forms."""

Messages = Sequence[Mapping[str, str]]
"""A conversation: each message has a role and a content."""


class TextCodec(Protocol):
    """Text to token ids and back.

    Attributes:
        end: id of the token that ends an answer.
        pad: id that fills a row.
        start: ids that every example begins with.
        chat: writes a conversation in the tokenizer's own form, with or without the beginning of
            an answer that is to come; None where the tokenizer has no such form.
    """

    end: int
    pad: int
    start: tuple[int, ...]
    chat: Callable[[Messages, bool], str] | None

    def encode(self, text: str) -> list[int]:
        """The ids of `text` alone; LabError where it cannot be spelled."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`."""


@dataclass(frozen=True)
class Base:
    """A model to fine-tune.

    Attributes:
        name: as it was asked for.
        model: token ids [B, T] in, logits [B, T, V] out.
        context: longest sequence, in tokens.
        identity: SHA-256 of the weights' files, in hexadecimal digits; an adapter remembers it.
        write: writes a model of this form, weights made whole, into an empty folder that
            `open_base` opens.
        folder: where the weights were found.
    """

    name: str
    model: nn.Module
    tokenizer: TextCodec
    context: int
    identity: str
    write: Callable[[nn.Module, Path], None]
    folder: Path


def open_base(
    name: str,
    project: Project | None = None,
    *,
    four_bit: FourBit | None = None,
    device: torch.device,
) -> Base:
    """The base model of that name on `device`, of full or of 4-bit weights.

    Args:
        project: where `micro` is looked for; the one of the working directory by default.

    Raises:
        LabError: there is no such base, a file of it is missing or damaged, or its tokenizer is
            not the one that it was trained with.
    """
    if name.startswith(HUB):
        return _hub_base(name, four_bit, device)
    folder = _micro_folder(project or Project.find()) if name == MICRO else Path(name)
    if not folder.is_dir():
        raise LabError(unknown(name))
    folder = learned_in(folder)
    if (folder / ADAPTER).is_file():
        raise LabError(
            f"{folder} is an adapter, no base: make one of it first with "
            f"`llmlab merge {folder} --out FOLDER`."
        )
    if (folder / HUB_CONFIG).is_file():
        return _hub_base(str(folder), four_bit, device)
    is_skilled = (folder / CONFIG).is_file()
    base = (_skilled_base if is_skilled else _run_base)(name, folder, device)
    if four_bit:
        quantise(base.model, four_bit)
    return base


def is_hub(name: str) -> bool:
    """Whether the base of that name is a model of the form of `transformers`."""
    is_folder_of_one = (learned_in(Path(name)) / HUB_CONFIG).is_file()
    return name.startswith(HUB) or (name != MICRO and is_folder_of_one)


def learned_in(run: Path) -> Path:
    """Where the fine-tuning run in this folder keeps what it learned; of another folder itself."""
    return next((run / name for name in LEARNED if (run / name).is_dir()), run)


@dataclass(frozen=True)
class SkillCodec:
    """Characters of the book's own base model; an answer ends with its line."""

    end: int = TOKENIZER.encode(END)[0]
    pad: int = TOKENIZER.PAD
    start: tuple[int, ...] = ()
    chat: None = None

    def encode(self, text: str) -> list[int]:
        try:
            return TOKENIZER.encode(text)
        except ValueError as error:
            raise LabError(
                f"{str(error).partition(':')[0]}, which knows {TOKENIZER.alphabet.strip()!r}, "
                "spaces and line ends: clean the text, or choose another base."
            ) from None

    def decode(self, ids: Sequence[int]) -> str:
        return TOKENIZER.decode(list(ids))


@dataclass(frozen=True)
class RunCodec:
    """The tokenizer of a run of `llmlab train`; an answer ends as a document does."""

    tokenizer: TextTokenizer
    start: tuple[int, ...] = ()
    chat: None = None

    @property
    def end(self) -> int:
        return self.tokenizer.end_of_text

    @property
    def pad(self) -> int:
        return self.tokenizer.end_of_text

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(ids)


@dataclass(frozen=True)
class HubCodec:
    """A tokenizer of `transformers`; what the text has of its special tokens becomes these."""

    tokenizer: "PreTrainedTokenizerBase"

    @property
    def end(self) -> int:
        return self.tokenizer.eos_token_id

    @property
    def pad(self) -> int:
        pad = self.tokenizer.pad_token_id
        return self.end if pad is None else pad

    @property
    def start(self) -> tuple[int, ...]:
        begin = self.tokenizer.bos_token_id
        return tuple(index for index in self.tokenizer("")["input_ids"] if index == begin)

    @property
    def chat(self) -> Callable[[Messages, bool], str] | None:
        return self._chat if self.tokenizer.chat_template else None

    def encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]

    def decode(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(list(ids))

    def _chat(self, messages: Messages, answer_follows: bool) -> str:
        return self.tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            tokenize=False,
            add_generation_prompt=answer_follows,
        )


class HubModel(nn.Module):
    """A causal model of `transformers` that gives logits alone.

    Attributes:
        inner: the model itself; the paths of its layers follow `PREFIX`.
    """

    PREFIX = "inner."

    def __init__(self, inner: "PreTrainedModel") -> None:
        super().__init__()
        self.inner = inner

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Logits [B, T, V]; padding may only follow what counts, so it needs no mask."""
        return self.inner(input_ids=tokens_BT, use_cache=False).logits


def micro_with(identity: str | None, project: Project | None = None) -> str:
    """The folder of that one of the book's own base models, or `micro` if none here is the one."""
    folders = _micro_folders(project or Project.find())
    return next((str(f) for f in folders if _sha256([f / WEIGHTS]) == identity), MICRO)


def _micro_folders(project: Project) -> Iterator[Path]:
    """The book's own base models that were made here, the largest first."""
    for scale in reversed(SCALES):
        folder = project.fresh(scale, "base_model") / "kept"
        if (folder / CONFIG).is_file():
            yield folder


def _micro_folder(project: Project) -> Path:
    for folder in _micro_folders(project):
        return folder
    raise LabError(
        "the base model 'micro' is not there yet: make it with "
        "`llmlab run base_model --scale laptop`, which takes about three minutes."
    )


def unknown(name: str, what: str = "base") -> str:
    """The sentence for a name that nothing has, with the nearest that something does have."""
    path = Path(name)
    runs = [folder.as_posix() for folder in Path("runs").glob("*") if folder.is_dir()]
    beside = path.parent.glob("*") if path.parent.is_dir() else ()
    known = [MICRO, *runs, *(str(folder) for folder in beside if folder.is_dir())]
    return (
        f"there is no {what} '{name}'{suggestion(name, known)}: choose {MICRO}, a folder of "
        f"`llmlab train` or `llmlab merge`, or {HUB}ID or {HUB}FOLDER for a Hugging Face model."
    )


def _skilled_base(name: str, folder: Path, device: torch.device) -> Base:
    try:
        model = load_base(folder, device)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise LabError(
            f"{folder} holds no whole base model ({_first_line(error)}): make or copy it again."
        ) from error
    if model.config.vocab_size != TOKENIZER.vocab_size:
        raise LabError(
            f"the model in {folder} knows {model.config.vocab_size} tokens and the tokenizer of "
            f"the four skills {TOKENIZER.vocab_size}: it was trained with another one; make it "
            "again with `llmlab run base_model --scale laptop`."
        )
    identity = _sha256([folder / WEIGHTS])
    return Base(name, model, SkillCodec(), model.config.context, identity, save_base, folder)


def _run_base(name: str, folder: Path, device: torch.device) -> Base:
    checkpoint = checkpoints.load_checkpoint(folder)
    model, tokenizer = open_model(folder)
    if tokenizer.vocab_size > model.config.vocab_size:
        raise LabError(
            f"the tokenizer of {folder} has {tokenizer.vocab_size} tokens and its model knows "
            f"{model.config.vocab_size}: put back the {TOKENIZER_FILE} that it was trained with."
        )

    def write(tuned: nn.Module, target: Path) -> None:
        tokenizer.save(target / TOKENIZER_FILE)
        checkpoints.save_checkpoint(
            target / CHECKPOINTS,
            weights=tuned.state_dict(),
            training={"step": checkpoint.step},
            shape=asdict(checkpoint.shape),
            run={**checkpoint.run, "tuned_from": name},
        )

    identity = _sha256([checkpoint.folder / checkpoints.WEIGHTS])
    codec, context = RunCodec(tokenizer), model.config.context
    return Base(name, model.to(device), codec, context, identity, write, checkpoint.folder)


def _hub_base(name: str, four_bit: FourBit | None, device: torch.device) -> Base:
    folder = _hub_folder(name.removeprefix(HUB))
    tokenizer = _hub_tokenizer(folder, name)
    model = HubModel(_hub_model(folder, name, four_bit, device))
    _check_hub(model, tokenizer, name)

    def write(tuned: HubModel, target: Path) -> None:
        _whole_model(folder, tuned.inner).save_pretrained(target)
        tokenizer.save_pretrained(target)

    context = getattr(model.inner.config, "max_position_embeddings", None)
    context = min(context or tokenizer.model_max_length, tokenizer.model_max_length)
    identity = _sha256(sorted(folder.glob("*.safetensors")))
    return Base(name, model, HubCodec(tokenizer), context, identity, write, folder)


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise LabError(
            "Hugging Face models need the package transformers, which is not installed: "
            'install it with pip install "llmlab[hub]".'
        ) from error
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()  # what is wrong we say ourselves
    return transformers


def _hub_folder(source: str) -> Path:
    """The folder itself, or what the hub (or its cache on this machine) has under that id."""
    folder = Path(source)
    if not folder.is_dir():
        _transformers()
        from huggingface_hub import snapshot_download

        try:
            folder = Path(snapshot_download(source, ignore_patterns=NOT_NEEDED))
        except Exception as error:  # of the network, of the hub, of the name: many kinds
            beside = [str(path) for path in folder.parent.glob("*") if path.is_dir()]
            raise LabError(
                f'there is no folder "{source}"{suggestion(source, beside)}, and Hugging Face '
                "does not give a model of that name to this machine: name a folder that holds "
                "config.json, model.safetensors and a tokenizer."
            ) from error
    if (folder / ADAPTER).is_file():
        raise LabError(
            f"{source} is an adapter, no base: name the model that it was made for, or make one "
            "of both with `llmlab merge`."
        )
    if not (folder / HUB_CONFIG).is_file() or not any(folder.glob("*.safetensors")):
        raise LabError(
            f"{source} holds no model of the form of transformers: a folder with config.json and "
            "model.safetensors is needed."
        )
    if b'"quantization_config"' in (folder / HUB_CONFIG).read_bytes():
        raise LabError(
            f"the weights of {source} are quantised already: name the model that they were made "
            "of, which --method qlora quantises here."
        )
    return folder


def _hub_tokenizer(folder: Path, name: str) -> "PreTrainedTokenizerBase":
    transformers = _transformers()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    except Exception as error:  # of the files: many kinds
        raise LabError(
            f"{name} has no tokenizer that can be read: copy its tokenizer.json and "
            "tokenizer_config.json beside the weights."
        ) from error
    if tokenizer.eos_token_id is None:
        raise LabError(
            f"the tokenizer of {name} names no token that ends an answer: set eos_token in its "
            "tokenizer_config.json."
        )
    return tokenizer


def _hub_model(
    folder: Path, name: str, four_bit: FourBit | None, device: torch.device
) -> "PreTrainedModel":
    """In float32, but beside 4-bit weights on CUDA in bfloat16."""
    transformers = _transformers()
    halved = four_bit is not None and device.type == "cuda"
    options: dict[str, Any] = {"dtype": torch.bfloat16 if halved else torch.float32}
    directly = four_bit is not None and four_bit.block_size == _THEIR_BLOCK_SIZE
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
        _require_linear_layers(_empty_model(folder, options["dtype"]), name)
        model, report = transformers.AutoModelForCausalLM.from_pretrained(
            folder, output_loading_info=True, **options
        )
    except LabError:
        raise
    except Exception as error:  # of the files, of an architecture: many kinds
        raise LabError(
            f"{name} cannot be loaded as a causal language model ({_first_line(error)}): copy or "
            "fetch its files again, or choose another model."
        ) from error
    if lacking := sorted(report["missing_keys"]):
        raise LabError(f"the weights of {name} lack {lacking[0]}: copy or fetch them again.")
    model = model if directly else model.to(device)
    return quantise(model, four_bit) if four_bit else model


_THEIR_BLOCK_SIZE = 64
"""Of BitsAndBytesConfig, which offers no other."""


def _empty_model(folder: Path, dtype: torch.dtype) -> "PreTrainedModel":
    """The model in `folder` without its weights."""
    transformers = _transformers()
    config = transformers.AutoConfig.from_pretrained(folder)
    with torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)


def _whole_model(folder: Path, tuned: "PreTrainedModel") -> "PreTrainedModel":
    """The model in `folder` with the weights of `tuned`, free of what 4-bit loading added."""
    model = _empty_model(folder, tuned.dtype)
    model.load_state_dict(tuned.state_dict(), assign=True)
    model.tie_weights()
    model.generation_config = tuned.generation_config
    return model


def _check_hub(model: HubModel, tokenizer: "PreTrainedTokenizerBase", name: str) -> None:
    known = model.inner.get_input_embeddings().num_embeddings
    if len(tokenizer) > known:
        raise LabError(
            f"the tokenizer of {name} has {len(tokenizer)} tokens and its model knows {known}: "
            "put the tokenizer that it was trained with beside the weights."
        )


def _require_linear_layers(model: "PreTrainedModel", name: str) -> None:
    """Asked before a model is loaded: loading in four bits would make them of other layers."""
    if not any(target_layers(HubModel(model))):
        source = name.removeprefix(HUB)
        raise LabError(
            f"{name} has no linear layer beside its output layer: a GPT-2 has them after "
            f"`llmlab import {source}`, whose folder is a base."
        )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _sha256(files: Sequence[Path]) -> str:
    """Of one file its own; of several that of theirs."""
    digests = []
    for path in files:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()

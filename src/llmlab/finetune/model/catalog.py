"""Base models by name, opened with their tokenizers.

A name is `micro` (the book's own base model of four skills), the folder of such a model, a run or
checkpoint of `llmlab train`, `hf:` and an id on the Hugging Face hub, a folder in the format of
`transformers`, with `hf:` or without, a GGUF file, or a packaged model such as `smollm2`.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn

from llmlab.finetune.model.base_model import (
    CONFIG,
    WEIGHTS,
    load_base_model,
    save_base_model,
)
from llmlab.finetune.model.codecs import RunCodec, SkillCodec
from llmlab.finetune.model.gguf import PACKAGED, is_gguf
from llmlab.finetune.model.hub import HUB, HUB_CONFIG, open_hub_model
from llmlab.finetune.model.peft_format import ADAPTER
from llmlab.finetune.model.pretrained import Pretrained, first_line, weights_digest
from llmlab.finetune.model.qlora import FourBit, quantise
from llmlab.finetune.tasks.skills import TOKENIZER
from llmlab.gpt.saved import checkpoints
from llmlab.gpt.saved.saved_runs import CHECKPOINTS, open_model
from llmlab.gpt.saved.saved_runs import TOKENIZER as TOKENIZER_FILE
from llmlab.method.declare.catalog import suggestion
from llmlab.method.errors import LabError
from llmlab.runs.shell import command

MICRO = "micro"
MAKE_MICRO = "`llmlab run base_model --scale laptop`"
MicroFolders = Callable[[], Iterable[Path]]
"""Gives the folders of the book's own base models on this machine, the best first."""

WEIGHTS_FOLDERS = ("adapter", "model")
"""Where a fine-tuning run keeps its weights, below its folder."""


def open_pretrained(
    name: str,
    micro: MicroFolders = tuple,
    *,
    four_bit: FourBit | None = None,
    device: torch.device,
) -> Pretrained:
    """Open the base model called `name` on `device`, with full or 4-bit weights.

    Args:
        micro: gives the folders that hold a `micro`, the best first; asked only if it is named.

    Raises:
        LabError: there is no such model, a file of it is missing or damaged, or its tokenizer is
            not the one that it was trained with.
    """
    if name.startswith(HUB) or is_gguf(name):
        return open_hub_model(name, four_bit, device)
    folder = _first(micro()) if name == MICRO else Path(name)
    if not folder.is_dir():
        raise unknown_model(name)
    folder = weights_folder(folder)
    if (folder / ADAPTER).is_file():
        raise LabError(
            f"{folder} is an adapter, not a base model: merge it into one first with "
            f"{command('llmlab', 'merge', folder, '--out', 'FOLDER')}."
        )
    if (folder / HUB_CONFIG).is_file():
        return open_hub_model(str(folder), four_bit, device)
    is_skilled = (folder / CONFIG).is_file()
    base = (_open_base_model if is_skilled else _open_trained_run)(name, folder, device)
    if four_bit:
        quantise(base.model, four_bit)
    return base


def is_hub(name: str) -> bool:
    """Whether the base model called `name` is in the format of `transformers`."""
    is_folder_of_one = (weights_folder(Path(name)) / HUB_CONFIG).is_file()
    return name.startswith(HUB) or is_gguf(name) or (name != MICRO and is_folder_of_one)


def weights_folder(run: Path) -> Path:
    """The folder below `run` in which fine-tuning left its weights; `run` itself if none is."""
    return next((run / name for name in WEIGHTS_FOLDERS if (run / name).is_dir()), run)


def micro_with(identity: str | None, micro: MicroFolders) -> str:
    """The folder of the `micro` whose weights have that digest, or just `micro` if none has."""
    return next((str(f) for f in micro() if weights_digest([f / WEIGHTS]) == identity), MICRO)


def _first(folders: Iterable[Path]) -> Path:
    for folder in folders:
        return folder
    raise LabError(
        f"the base model 'micro' has not been made yet: make it with {MAKE_MICRO}, which takes "
        "about three minutes."
    )


def unknown_model(name: str, what: str = "base") -> LabError:
    """The error for an unknown name; it suggests the nearest known one."""
    path = Path(name)
    runs = [folder.as_posix() for folder in Path("runs").glob("*") if folder.is_dir()]
    beside = path.parent.glob("*") if path.parent.is_dir() else ()
    known = [MICRO, *PACKAGED, *runs, *(str(folder) for folder in beside if folder.is_dir())]
    return LabError(
        f"there is no {what} '{name}'{suggestion(name, known)}: choose {MICRO}, "
        f"{', '.join(PACKAGED)}, "
        "a folder of `llmlab train` or `llmlab merge`, a GGUF file, or "
        f"{HUB}ID or {HUB}FOLDER for a Hugging Face model."
    )


def _open_base_model(name: str, folder: Path, device: torch.device) -> Pretrained:
    try:
        model = load_base_model(folder, device)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise LabError(
            f"{folder} holds no intact base model ({first_line(error)}): make or copy it again."
        ) from error
    if model.config.vocab_size != TOKENIZER.vocab_size:
        raise LabError(
            f"the model in {folder} has {model.config.vocab_size} tokens and the tokenizer of the "
            f"four skills {TOKENIZER.vocab_size}: it was trained with another tokenizer; make it "
            f"again with {MAKE_MICRO}."
        )
    identity = weights_digest([folder / WEIGHTS])
    return Pretrained(
        name, model, SkillCodec(), model.config.context, identity, save_base_model, folder
    )


def _open_trained_run(name: str, folder: Path, device: torch.device) -> Pretrained:
    checkpoint = checkpoints.load_checkpoint(folder)
    model, tokenizer = open_model(folder)
    if tokenizer.vocab_size > model.config.vocab_size:
        raise LabError(
            f"the tokenizer of {folder} has {tokenizer.vocab_size} tokens and its model "
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

    identity = weights_digest([checkpoint.folder / checkpoints.WEIGHTS])
    codec, context = RunCodec(tokenizer), model.config.context
    return Pretrained(name, model.to(device), codec, context, identity, write, checkpoint.folder)


def has_skills(base: Pretrained) -> bool:
    """Whether this is a base model of the book, whose skills can be tested."""
    return isinstance(base.tokenizer, SkillCodec)


def n_parameters(base: Pretrained) -> int:
    """Number of parameters, without an adapter; shared ones count once."""
    return sum(
        math.prod(getattr(parameter, "quant_state", parameter).shape)
        for name, parameter in base.model.named_parameters()
        if not name.endswith((".a_RI", ".b_RO"))
    )

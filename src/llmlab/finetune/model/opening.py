"""What fine-tuning starts from, by name: any base model, opened with its tokenizer.

A base is named by `micro` (the book's own, of four skills), the folder of such a model, a run or
checkpoint of `llmlab train`, or `hf:` and an id on the Hugging Face hub, or a folder of that form
with `hf:` or without.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn

from llmlab.finetune.model.base_model import CONFIG, WEIGHTS, load_base, save_base
from llmlab.finetune.model.codecs import RunCodec, SkillCodec
from llmlab.finetune.model.hub import HUB, HUB_CONFIG, hub_base
from llmlab.finetune.model.peft_format import ADAPTER
from llmlab.finetune.model.pretrained import Base, first_line, weights_digest
from llmlab.finetune.model.qlora import FourBit, quantise
from llmlab.finetune.tasks.skills import TOKENIZER
from llmlab.gpt import checkpoints
from llmlab.gpt.session import CHECKPOINTS, open_model
from llmlab.gpt.session import TOKENIZER as TOKENIZER_FILE
from llmlab.method.catalog import suggestion
from llmlab.method.errors import LabError
from llmlab.method.experiment import SCALES
from llmlab.method.project import Project

MICRO = "micro"
LEARNED = ("adapter", "model")
"""Where a fine-tuning run keeps what it learned, below its folder."""


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
        return hub_base(name, four_bit, device)
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
        return hub_base(str(folder), four_bit, device)
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


def micro_with(identity: str | None, project: Project | None = None) -> str:
    """The folder of that one of the book's own base models, or `micro` if none here is the one."""
    folders = _micro_folders(project or Project.find())
    return next((str(f) for f in folders if weights_digest([f / WEIGHTS]) == identity), MICRO)


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
            f"{folder} holds no whole base model ({first_line(error)}): make or copy it again."
        ) from error
    if model.config.vocab_size != TOKENIZER.vocab_size:
        raise LabError(
            f"the model in {folder} knows {model.config.vocab_size} tokens and the tokenizer of "
            f"the four skills {TOKENIZER.vocab_size}: it was trained with another one; make it "
            "again with `llmlab run base_model --scale laptop`."
        )
    identity = weights_digest([folder / WEIGHTS])
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

    identity = weights_digest([checkpoint.folder / checkpoints.WEIGHTS])
    codec, context = RunCodec(tokenizer), model.config.context
    return Base(name, model.to(device), codec, context, identity, write, checkpoint.folder)


def has_skills(base: Base) -> bool:
    """Whether this is a base model of the book, which has skills to forget."""
    return isinstance(base.tokenizer, SkillCodec)


def n_parameters(base: Base) -> int:
    """Parameters of a base, those that are shared counted once, an adapter not counted."""
    return sum(
        math.prod(getattr(parameter, "quant_state", parameter).shape)
        for name, parameter in base.model.named_parameters()
        if not name.endswith((".a_RI", ".b_RO"))
    )

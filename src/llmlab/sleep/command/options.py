"""Options that several commands share."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from llmlab.method.declare.experiment import SCALES
from llmlab.method.errors import LabError
from llmlab.method.evidence.manifest import KEPT, require_kept
from llmlab.method.project import Project
from llmlab.sleep.coder.coder import ABOUT, MAKE_CODER, Coder, load_coder
from llmlab.sleep.command.checksums import require_same_files
from llmlab.sleep.night.methods import FAMILIES
from llmlab.sleep.repair.task import Client

BASE = "sleep_base"
"""The experiment that trains the small coder."""
MICRO = "micro"
EPISODES = "File of episodes that `llmlab sleep run` wrote."
"""What commands say of a file that they read."""
HUB = "hf:"
"""Begins the name of a model of transformers."""


@dataclass(frozen=True)
class ClientOptions:
    """Who repairs."""

    base: Annotated[
        str,
        typer.Option(
            metavar="micro|FOLDER|hf:ID|URL",
            help="Who repairs: the lab's own coder, a folder of one, a model of transformers, or a "
            "server such as http://localhost:11434/v1 (with --model).",
        ),
    ] = "micro"
    model: Annotated[str, typer.Option(help="The model's name on the server.")] = ""
    key: Annotated[str, typer.Option(envvar="OPENAI_API_KEY", help="API key for the server.")] = ""


def open_client(options: ClientOptions, temperature: float, seed: int) -> Client:
    """The model that `--base` names.

    Raises:
        LabError: there is none, or its files are not those that were saved.
    """
    base = options.base
    if base.startswith(("http://", "https://")):
        from llmlab.sleep.repair.server import Server

        if not options.model:
            raise LabError(f"{base} has many models: name one with --model.")
        return Server(base, options.model, options.key, temperature, seed)
    if base.startswith(HUB):
        from llmlab.sleep.repair.hub import open_hub_client

        return open_hub_client(base, temperature, seed)
    drawing = {"temperature": temperature, "seed": seed}
    if (Path(base) / FAMILIES).is_file():
        from llmlab.sleep.night.families import load_family_coder

        require_same_files(Path(base))
        found = load_family_coder(Path(base))
        return replace(found, base=replace(found.base, name=base, **drawing))
    return replace(open_coder(base), **drawing)


def open_coder(base: str) -> Coder:
    """The small coder of `micro` or of a folder, with one set of weights.

    Raises:
        LabError: there is none, its files are not those that were saved, or it has weights for
            each family.
    """
    if (Path(base) / FAMILIES).is_file():
        raise LabError(
            f"{base} has weights for each family of bugs, but one set is needed here: name a coder "
            "that was trained by a method of one set, see `llmlab sleep methods`."
        )
    if base != MICRO and not (Path(base) / ABOUT).is_file():
        raise LabError(
            f"'{base}' holds no coder: name {MICRO}, or a folder that `llmlab sleep train` wrote."
        )
    require_same_files(Path(base))
    return replace(load_coder(_micro_folder() if base == MICRO else Path(base)), name=base)


def weights_folder(name: str) -> Path | None:
    """The folder with the weights of the client called `name`; None if they are not in a folder.

    Raises:
        LabError: the client is `micro`, and there is none.
    """
    if name == MICRO:
        return _micro_folder()
    folder = Path(name.removeprefix(HUB))
    is_there = folder.is_dir() if name.startswith(HUB) else (folder / ABOUT).is_file()
    return folder if is_there else None


def _micro_folder() -> Path:
    """The folder of the largest coder that this machine has trained.

    Raises:
        LabError: there is none, or its files are not those that its run kept.
    """
    project = Project.find()
    for scale in reversed(SCALES):
        made = project.fresh(scale, BASE)
        folder = made / KEPT
        if found := next(folder.rglob(ABOUT), None) if folder.is_dir() else None:
            require_kept(made)
            return found.parent
    raise LabError(f"there is no small coder on this machine yet: make one with {MAKE_CODER}.")

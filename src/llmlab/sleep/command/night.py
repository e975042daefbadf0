"""`llmlab sleep train` and `methods`: learn from the episodes of a day."""

import math
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from safetensors import SafetensorError

from llmlab.method.errors import LabError
from llmlab.method.files import unwritable
from llmlab.method.options import LARGEST_SEED
from llmlab.sleep.command.options import open_coder
from llmlab.sleep.night.methods import BY_FAMILY, ONE_CODER
from llmlab.sleep.repair.episodes import EpisodeFile


def train(
    episodes: Annotated[Path, typer.Argument(metavar="EPISODES", help="Of `llmlab sleep run`.")],
    method: Annotated[
        str,
        typer.Option(
            metavar="METHOD",
            help=f"{', '.join([*ONE_CODER, *BY_FAMILY])}; `llmlab sleep methods` explains them.",
        ),
    ] = "replay",
    base: Annotated[
        str, typer.Option(metavar="micro|FOLDER", help="The coder that had the day.")
    ] = "micro",
    out: Annotated[Path, typer.Option(help="An empty or new folder for the coder.")] = Path(
        "runs/sleep/coder"
    ),
    steps: Annotated[
        int, typer.Option(min=1, help="Optimizer steps of the whole night, all adapters together.")
    ] = 200,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="Its peak.")] = 2e-3,
    rank: Annotated[int, typer.Option(min=1, help="Of each adapter.")] = 8,
    replay: Annotated[
        float, typer.Option(help="Share of passed episodes, for the method replay.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED)] = 0,
) -> None:
    """Train LoRA adapters on captured episodes, on the edits alone; writes the coder after it."""
    from llmlab.sleep.coder.coder import save_coder
    from llmlab.sleep.night.catalog import spend_night
    from llmlab.sleep.night.families import FamilyCoder, save_family_coder
    from llmlab.sleep.night.nights import Night

    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise LabError(
            f"{out} is a file, or a folder with something in it: name another with --out."
        )
    if not 0 < learning_rate < math.inf:
        raise LabError(f"a learning rate of {learning_rate:g} learns nothing: take one above 0.")
    coder = open_coder(base)
    day = EpisodeFile(episodes).read()
    if strangers := {episode.language for episode in day} - {coder.language}:
        raise LabError(
            f"{episodes} has koans in {', '.join(strangers)}, and {base} knows {coder.language}: "
            "make episodes in its language."
        )
    if not day:
        raise LabError(f"{episodes} holds no episode: make some with `llmlab sleep run`.")
    night = Night(steps, learning_rate, rank=rank, replay=replay, seed=seed)
    after = spend_night(coder, day, method, night)
    try:
        (save_family_coder if isinstance(after, FamilyCoder) else save_coder)(after, out)
    except OSError as error:
        raise unwritable(out, error) from error
    except SafetensorError as error:  # what the disk says, wrapped
        raise unwritable(out, OSError(str(error))) from error
    failed = sum(not episode.is_green for episode in day)
    print(f"Learned by '{method}' from {len(day)} episodes, {failed} of them failed.")
    if isinstance(after, FamilyCoder):
        print("Each family has weights of its own: it is told by --hints, else guessed.")
    print(f"Try it on other koans: llmlab sleep run --base {out}")


def methods() -> None:
    """List what a night can do, for `llmlab sleep train --method`."""
    for title, known in {
        "One set of weights": ONE_CODER,
        "Weights for each family of bugs": BY_FAMILY,
    }.items():
        table = Table(box=box.SIMPLE_HEAD, header_style="bold")
        for column in (title, "learns"):
            table.add_column(column)
        for name, what in known.items():
            table.add_row(name, what)
        Console().print(table)

"""`llmlab sleep train` and `methods`: learn from the episodes of a day."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from llmlab.method.errors import LabError
from llmlab.method.files import require_empty
from llmlab.method.locks import beside, locked
from llmlab.method.options import LARGEST_SEED, require_learning_rate
from llmlab.method.wording import counted
from llmlab.runs.shell import pasted
from llmlab.sleep.command.checksums import write_checksums
from llmlab.sleep.command.options import EPISODES, open_coder
from llmlab.sleep.night.methods import BY_FAMILY, ONE_CODER
from llmlab.sleep.repair.episodes import Episode, EpisodeFile


def train(
    episodes: Annotated[Path, typer.Argument(metavar="EPISODES", help=EPISODES)],
    method: Annotated[
        str,
        typer.Option(
            metavar="METHOD",
            help=f"{', '.join([*ONE_CODER, *BY_FAMILY])}; `llmlab sleep methods` explains them.",
        ),
    ] = "naive",
    base: Annotated[
        str, typer.Option(metavar="micro|FOLDER", help="The coder that made the episodes.")
    ] = "micro",
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="New or empty folder for the coder.")
    ] = Path("runs/sleep/coder"),
    steps: Annotated[
        int, typer.Option(min=1, help="Optimizer steps of the whole night, all adapters together.")
    ] = 200,
    learning_rate: Annotated[float, typer.Option(help="Peak rate.")] = 8e-3,
    rank: Annotated[int, typer.Option(min=1, help="Rank of each adapter.")] = 8,
    replay: Annotated[
        float, typer.Option(help="Share of passed episodes, for --method replay.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Random seed.")] = 0,
) -> None:
    """Train LoRA adapters on the edits of captured episodes, and write the trained coder."""
    from llmlab.gpt.saved.writing import new_folder
    from llmlab.sleep.coder.coder import save_coder
    from llmlab.sleep.night.catalog import spend_night
    from llmlab.sleep.night.families import FamilyCoder, save_family_coder
    from llmlab.sleep.night.nights import Night

    require_empty(out)
    require_learning_rate("--learning-rate", learning_rate)
    coder = open_coder(base)
    day = EpisodeFile(episodes).read()
    _require_lessons(day, coder.language, episodes)
    night = Night(steps, learning_rate, rank=rank, replay=replay, seed=seed)
    taken = f"another process is making {out}: wait until it ends, or name another with --out."
    with locked(beside(out), taken), new_folder(out) as new:
        after = spend_night(coder, day, method, night)
        by_family = isinstance(after, FamilyCoder)
        (save_family_coder if by_family else save_coder)(after, new)
        write_checksums(new)
    failed = sum(not episode.is_green for episode in day)
    print(f"Learned by '{method}' from {counted(len(day), 'episode')}, {failed} of them failed.")
    if by_family:
        print("Each family has its own weights: `--hints` names it, else the coder guesses.")
    koans = ("--generated", "200", "--language", coder.language)
    print(f"Try it on other koans: {pasted('llmlab', 'sleep', 'run', *koans, '--base', out)}")


def _require_lessons(day: Sequence[Episode], language: str, file: Path) -> None:
    """Raise LabError if there is no episode, or one in another language than the coder's."""
    if not day:
        raise LabError(f"{file} holds no episode: make some with `llmlab sleep run`.")
    if strangers := {episode.language for episode in day} - {language}:
        raise LabError(
            f"{file} has koans in {', '.join(strangers)}, and the coder knows {language}: make "
            "episodes in its language, or name another coder with --base."
        )


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

"""`llmlab sleep train`: learn from the episodes of a day."""

from pathlib import Path
from typing import Annotated

import typer

from llmlab.method.errors import LabError
from llmlab.sleep.command.options import open_coder
from llmlab.sleep.repair.episodes import EpisodeFile


def train(
    episodes: Annotated[Path, typer.Argument(metavar="EPISODES", help="Of `llmlab sleep run`.")],
    method: Annotated[
        str,
        typer.Option(
            help="naive, targeted, replay, self, mean, mean-factors, ties, dare, osf, "
            "share-averaged or share-coefficients."
        ),
    ] = "replay",
    base: Annotated[
        str, typer.Option(metavar="micro|FOLDER", help="The coder that had the day.")
    ] = "micro",
    out: Annotated[Path, typer.Option(help="An empty or new folder for the coder.")] = Path(
        "runs/sleep/coder"
    ),
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps.")] = 200,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="Its peak.")] = 2e-3,
    rank: Annotated[int, typer.Option(min=1, help="Of each adapter.")] = 8,
    replay: Annotated[float, typer.Option(help="Share of passed episodes.")] = 0.2,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Train LoRA adapters on captured episodes, on the edits alone; writes the coder after it."""
    from llmlab.sleep.coder.coder import save_coder
    from llmlab.sleep.night.catalog import spend_night
    from llmlab.sleep.night.nights import Night

    if out.exists() and any(out.iterdir()):
        raise LabError(f"{out} is not empty: name another folder with --out.")
    coder = open_coder(base)
    day = EpisodeFile(episodes).read()
    if strangers := {episode.language for episode in day} - {coder.language}:
        raise LabError(
            f"{episodes} has koans in {', '.join(strangers)}, and {base} knows {coder.language}: "
            "make episodes in its language."
        )
    night = Night(steps, learning_rate, rank=rank, replay=replay, seed=seed)
    save_coder(spend_night(coder, day, method, night), out)
    failed = sum(not episode.is_green for episode in day)
    print(f"Learned by '{method}' from {len(day)} episodes, {failed} of them failed.")
    print(f"Try it on other koans: llmlab sleep run --base {out}")

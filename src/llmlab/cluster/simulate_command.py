"""`llmlab simulate`: a simulated training run on a cluster, shown in the terminal."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from llmlab.cluster.physics.planfile import parsed
from llmlab.cluster.show.events import Event
from llmlab.cluster.show.formats import Format, format_named
from llmlab.cluster.show.scenario import Scenario, read_scenario
from llmlab.cluster.show.screen import Screen
from llmlab.cluster.show.stage import Pace, awake, paced, play
from llmlab.method.errors import LabError
from llmlab.method.options import parse_seconds

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")

INTERRUPTED = 130
"""Exit code of a program ended by Ctrl-C, as in shells."""


@app.command()
def main(
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME|SIZE", help="Public model, or number of parameters, e.g. 7B."),
    ] = None,
    gpus: Annotated[
        int | None, typer.Option(metavar="N", help="Number of GPUs. Default: 64.")
    ] = None,
    scenario_file: Annotated[
        Path | None,
        typer.Option("--scenario", metavar="FILE", help="Scenario in TOML or JSON."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Random seed; the same seed, the same show. Default: drawn."),
    ] = None,
    speed: Annotated[
        float, typer.Option(metavar="X", help="Simulated seconds per real second.")
    ] = 10.0,
    instant: Annotated[
        int, typer.Option(metavar="N", min=0, help="Show the first N events at once.")
    ] = 0,
    exit_after_time: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Exit after this time, e.g. 90s or 2h10min. Default: never."
        ),
    ] = None,
    exit_after_runs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Exit after N runs. Default: never.")
    ] = None,
    inhibit: Annotated[
        bool, typer.Option("--inhibit", help="Keep the computer awake, if a tool for it exists.")
    ] = False,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the lines to a new file.")
    ] = None,
    format_name: Annotated[
        str, typer.Option("--format", metavar="NAME", help="Line format: text, jsonl or mlperf.")
    ] = "text",
) -> None:
    """Simulate training runs of language models on a cluster, one after another, until Ctrl-C.

    Nothing is trained. Step times come from `llmlab predict`, their scatter from published runs,
    and failures from Llama 3's rates. Prints plain lines if the output is not a terminal.
    """
    if not 0 < speed < float("inf"):
        raise LabError(f"--speed cannot be {speed:g}; write a positive number, as in 10.")
    seconds = _duration(exit_after_time)
    write = format_named(format_name)
    scenario = _scenario(scenario_file, model, gpus)
    drawn = seed if seed is not None else int.from_bytes(os.urandom(4), "big")
    pace = Pace(speed, time.monotonic, time.sleep, instant, seconds)
    began = datetime.now()
    with ExitStack() as stack:
        events = paced(_rehearsed(play(scenario, drawn, exit_after_runs)), pace)
        if log:
            events = _logged(events, stack.enter_context(_opened(log)), write, began)
        if inhibit:
            stack.enter_context(awake())
        _present(events, write, began)


def _duration(text: str | None) -> float | None:
    """The seconds after which the show ends; None for never."""
    seconds = None if text is None else parse_seconds(text)
    if seconds == 0:
        raise LabError(f"--exit-after-time {text} leaves no time for a show; give a longer one.")
    return seconds


def _scenario(file: Path | None, model: str | None, gpus: int | None) -> Scenario:
    """The file's scenario, with the changes from options."""
    if gpus is not None and gpus < 1:
        raise LabError(f"--gpus cannot be {gpus}; give a number from 1 up.")
    scenario = read_scenario(file) if file else Scenario()
    given = {"model": model, "gpus": gpus}
    changes = {name: value for name, value in given.items() if value is not None}
    return parsed(Scenario, scenario.model_dump() | changes, "the scenario")


def _rehearsed(events: Iterator[Event]) -> Iterator[Event]:
    """The same events, with the first one computed now, so that errors precede opening a file."""
    first = next(events)

    def all_events() -> Iterator[Event]:
        yield first
        yield from events

    return all_events()


def _opened(path: Path) -> FileIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb", buffering=0)  # closing it after an error writes nothing more
    except OSError as error:
        raise LabError(f"cannot write {path}: {error.strerror}; name a new file.") from error


def _logged(
    events: Iterator[Event], file: FileIO, write: Format, began: datetime
) -> Iterator[Event]:
    for event in events:
        try:
            file.write("".join(f"{line}\n" for line in write(event, began)).encode())
        except OSError as error:
            raise LabError(
                f"cannot write {file.name}: {error.strerror}; free some space and name a new file."
            ) from error
        yield event


def _present(events: Iterator[Event], write: Format, began: datetime) -> None:
    """Show the events on the terminal, or print lines; Ctrl-C and a closed pipe end quietly."""
    console = Console()
    try:
        if console.is_terminal and not console.is_dumb_terminal:
            Screen(console).show(events)
        else:
            _print_lines(events, write, began)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
    except OSError as error:
        raise LabError(f"cannot write the output: {error.strerror}; free some space.") from error


def _print_lines(events: Iterator[Event], write: Format, began: datetime) -> None:
    for event in events:
        for line in write(event, began):
            print(line, flush=True)

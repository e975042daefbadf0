"""Verbs whose options are defined in their own room: each passes its arguments on."""

from functools import cache
from types import ModuleType
from typing import Annotated

import typer

from llmlab.method.errors import LabError
from llmlab.method.project import Project

app = typer.Typer()

PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Settings of a command that passes its arguments on."""


@app.command(add_help_option=False, context_settings=PASSED_ON)
def predict(context: typer.Context) -> None:
    """Predict a large training run: step time, memory, best layout; see `llmlab predict --help`."""
    from llmlab.cluster.predict_command import app as command

    command(context.args, prog_name="llmlab predict")


@app.command(add_help_option=False, context_settings=PASSED_ON)
def simulate(context: typer.Context) -> None:
    """Simulate a training run on a large cluster in the terminal; see `llmlab simulate --help`."""
    from llmlab.cluster.simulate_command import app as command

    command(context.args, prog_name="llmlab simulate")


@app.command(add_help_option=False, context_settings=PASSED_ON)
def watch(context: typer.Context) -> None:
    """Watch runs live in a browser, start and steer them; see `llmlab watch --help`."""
    _watch().app(context.args, prog_name="llmlab watch")


@app.command(add_help_option=False, context_settings=PASSED_ON)
def book(context: typer.Context) -> None:
    """Execute chapters; render, serve and check the book; see `llmlab book --help`."""
    book_commands()(context.args, prog_name="llmlab book")


@cache
def book_commands() -> typer.Typer:
    """The commands of `llmlab book`; `serve` is added here since it shows both books and runs."""
    from llmlab.book.commands import app as commands

    commands.command()(serve)
    return commands


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine.")] = 8000,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Neither start nor steer runs.")
    ] = False,
) -> None:
    """Serve the rendered books and all runs to this machine until interrupted."""
    site = Project.find().site
    if not (site / "dev" / "index.html").is_file():
        raise LabError(f"{site} holds no rendered book; run `llmlab book render` first.")
    server = _watch()
    server.serve(server.usual_runs(), port, path="/book/dev/index.html", read_only=read_only)


def _watch() -> ModuleType:
    """The module of the server; LabError if its optional libraries are not installed."""
    try:
        from llmlab.watch import command
    except ModuleNotFoundError as error:
        raise LabError(
            f"{error.name} is not installed: run `pip install 'llmlab[watch]'` or `make`."
        ) from None
    return command


@app.command(add_help_option=False, context_settings=PASSED_ON)
def market(context: typer.Context) -> None:
    """Study scaling laws on market data; see `llmlab market --help`."""
    from llmlab.market.commands import app as commands

    commands(context.args, prog_name="llmlab market")


@app.command(add_help_option=False, context_settings=PASSED_ON)
def fit(context: typer.Context) -> None:
    """Fit a scaling law to a table of runs, with intervals; see `llmlab fit --help`."""
    from llmlab.market.fit_command import app as commands

    commands(context.args, prog_name="llmlab fit")


@app.command(add_help_option=False, context_settings=PASSED_ON)
def sleep(context: typer.Context) -> None:
    """Repair small programs by day, learn from them by night; see `llmlab sleep --help`."""
    from llmlab.sleep.command.app import app as commands

    commands(context.args, prog_name="llmlab sleep")

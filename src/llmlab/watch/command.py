"""`llmlab watch`: nothing but its options, and the start of the server; of `book serve`, too."""

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from llmlab.method.errors import LabError
from llmlab.method.project import Project
from llmlab.runs.folder import RUNS
from llmlab.watch.access import AccessRules, new_token, parse_name, user_key
from llmlab.watch.catalog import Catalog
from llmlab.watch.server import Watch, make_app

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")

GRACE_SECONDS = 1
"""Grace for open pages, once the server is told to stop."""


@app.command()
def main(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RUN",
            help="Folders of runs, or folders that hold some. Default: runs/ and build/results/.",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine.")] = 8010,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Only show runs: start none, steer none.")
    ] = False,
    name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME:PORT", help="Answer under this name, too, such as localhost:9000."
        ),
    ] = None,
) -> None:
    """Watch runs live in a browser, start some, and steer those that `train` and `finetune` make.

    Reads the log.jsonl of each run, live or finished; shows the rendered book, too.
    The page is served to this machine alone; from another one, `ssh -L 8010:127.0.0.1:8010 HOST`
    leads there.
    """
    serve(_catalog(runs or []), port, read_only=read_only, names=name or [])


def serve(
    catalog: Catalog,
    port: int,
    *,
    path: str = "/",
    read_only: bool = False,
    names: Sequence[str] = (),
) -> None:
    """Show runs and rendered books until interrupted, and say where.

    Args:
        path: of the page that the printed link opens.
        names: further names of this server.

    Raises:
        LabError: the port cannot be used, or a name is not valid.
    """
    with listen(port) as listening:
        port = listening.getsockname()[1]
        rules = AccessRules(port, user_key(), new_token(), frozenset(map(parse_name, names)))
        server = make_server(Watch(catalog, read_only, rendered_books()), rules)
        typer.echo(f"http://127.0.0.1:{port}{path}?token={rules.token}  (stop with Ctrl-C)")
        for note in catalog.search().notes:
            typer.echo(note, err=True)
        server.run(sockets=[listening])


def make_server(watch: Watch, rules: AccessRules) -> uvicorn.Server:
    """A server to run on a listening socket."""
    config = uvicorn.Config(
        make_app(watch, rules),
        log_level="warning",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        ws_max_size=4096,
        ws_per_message_deflate=False,  # it goes no further than this machine
        timeout_graceful_shutdown=GRACE_SECONDS,  # else open pages keep it alive
    )
    return uvicorn.Server(config)


def usual_runs() -> Catalog:
    """The runs in the folder where the server is started."""
    return Catalog((RUNS, Path("build/results")), Path())


def _catalog(chosen: list[Path]) -> Catalog:
    """The requested runs.

    Raises:
        LabError: a folder is not there.
    """
    if not chosen:
        return usual_runs()
    for folder in chosen:
        if not folder.is_dir():
            raise LabError(
                f"there is no folder {folder}: name the folder of a run, or one to hold runs."
            )
    return Catalog(
        tuple(chosen), Path(os.path.commonpath([run.resolve().parent for run in chosen]))
    )


def rendered_books() -> Path | None:
    """The folder of rendered books, if this is a lab book and one is rendered."""
    try:
        site = Project.find().site
    except LabError:
        return None
    return site if (site / "versions.json").is_file() else None


def listen(port: int) -> socket.socket:
    """A socket on the loopback interface.

    Raises:
        LabError: the port cannot be used.
    """
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise LabError(f"port {port} cannot be used: {error.strerror}; choose another.") from None

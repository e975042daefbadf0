"""`llmlab watch`: nothing but its options, and the start of the server."""

import os
import socket
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from llmlab.method.errors import LabError
from llmlab.method.project import Project
from llmlab.runs.folder import LOG, RUNS
from llmlab.watch.access import Pass, new_token, parse_name, user_key
from llmlab.watch.catalog import Catalog
from llmlab.watch.server import Watch, make_app

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")

GRACE_SECONDS = 1
"""For open pages, once the server is asked to end."""


@app.command()
def main(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Folders of runs, or folders that hold some. Default: runs/ and build/results/.",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine.")] = 8010,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Show, and pass no request on to a run.")
    ] = False,
    name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME:PORT", help="Answer under this name, too: as localhost:9000 of a tunnel."
        ),
    ] = None,
) -> None:
    """Watch runs live in a browser, and steer those that `train` and `finetune` make.

    Reads the log.jsonl of each run, whether it goes on or has ended. The page is served to this
    machine alone; from another one, `ssh -L 8010:127.0.0.1:8010 HOST` leads there.
    """
    catalog = _catalog(runs or [])
    with listen(port) as listening:
        port = listening.getsockname()[1]
        names = frozenset(map(parse_name, name or []))
        allowed = Pass(port, user_key(), new_token(), names)
        server = make_server(Watch(catalog, read_only, _book()), allowed)
        typer.echo(f"http://127.0.0.1:{port}/?token={allowed.token}  (stop with Ctrl-C)")
        server.run(sockets=[listening])


def make_server(watch: Watch, allowed: Pass) -> uvicorn.Server:
    """A server that can be run on a socket that listens."""
    config = uvicorn.Config(
        make_app(watch, allowed),
        log_level="warning",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        ws_max_size=4096,
        ws_per_message_deflate=False,  # it goes no further than this machine
        timeout_graceful_shutdown=GRACE_SECONDS,  # else open pages keep it alive
    )
    return uvicorn.Server(config)


def _catalog(chosen: list[Path]) -> Catalog:
    """The runs that were asked for.

    Raises:
        LabError: a folder is not there, or holds no run.
    """
    if not chosen:
        return Catalog((RUNS, Path("build/results")), Path())
    for folder in chosen:
        if not Catalog((folder,), Path()).runs():
            raise LabError(
                f"{folder} holds no run: name a folder with a {LOG}, as `llmlab train` makes it."
            )
    return Catalog(
        tuple(chosen), Path(os.path.commonpath([run.resolve().parent for run in chosen]))
    )


def _book() -> Path | None:
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

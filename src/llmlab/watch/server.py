"""The addresses of `llmlab watch`."""

import asyncio
import secrets
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from llmlab.method.errors import LabError
from llmlab.runs import control
from llmlab.runs.folder import LOG
from llmlab.watch.access import BOOK, Guard, Pass
from llmlab.watch.answers import (
    Asked,
    ControlRequest,
    Health,
    Refusal,
    RunList,
    RunSummary,
    openapi,
)
from llmlab.watch.catalog import Catalog, checkpoints
from llmlab.watch.rows import Cursor, is_known, read_rows

ASSETS = Path(__file__).parent / "assets"
POLL_SECONDS = 0.05
"""Between two looks whether a log has grown."""
LONGEST_REQUEST = 4096
"""Bytes of a request to a run."""
VERSION = version("llmlab")


@dataclass(frozen=True)
class Watch:
    """What a server shows.

    Attributes:
        read_only: whether it refuses all requests to runs.
        book: the folder of rendered books, if there is one.
    """

    catalog: Catalog
    read_only: bool = False
    book: Path | None = None


def make_app(watch: Watch, allowed: Pass) -> ASGIApp:
    """The server as an ASGI application."""
    routes = [
        Route("/", _page),
        Route("/openapi.json", _openapi),
        Route("/api/health", partial(_health, watch)),
        Route("/api/runs", partial(_runs, watch)),
        Route("/api/rows", partial(_rows, watch)),
        Route("/api/control", partial(_control, watch), methods=["POST"]),
        WebSocketRoute("/ws", partial(_follow, watch)),
        Mount("/assets", StaticFiles(directory=ASSETS)),
    ]
    if watch.book:
        routes.append(Mount(BOOK.rstrip("/"), StaticFiles(directory=watch.book, html=True)))
    return Guard(Starlette(routes=routes, exception_handlers={LabError: _refused}), allowed)


async def _page(request: Request) -> Response:
    return FileResponse(ASSETS / "index.html")


async def _openapi(request: Request) -> Response:
    return JSONResponse(openapi(VERSION))


async def _health(watch: Watch, request: Request) -> Response:
    return _said(Health(version=VERSION, read_only=watch.read_only))


async def _runs(watch: Watch, request: Request) -> Response:
    found = [
        RunSummary(
            name=name,
            bytes=status.st_size,
            modified=status.st_mtime,
            checkpoints=checkpoints(folder),
        )
        for name, folder in watch.catalog.runs().items()
        for status in [(folder / LOG).stat()]
    ]
    return _said(RunList(runs=found, book=watch.book is not None))


async def _rows(watch: Watch, request: Request) -> Response:
    folder = watch.catalog.folder(request.query_params.get("run", ""))
    rows = read_rows(folder / LOG, _cursor(request.query_params))
    return Response(rows.json(), media_type="application/json")


async def _control(watch: Watch, request: Request) -> Response:
    if watch.read_only:
        raise LabError("this server only shows: start `llmlab watch` without --read-only.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_REQUEST:
            raise LabError("this request is too long: send an action and the name of a run.")
    name, asked = _asked(body)
    control.ask(watch.catalog.folder(name), asked)
    return _said(Asked(id=asked.id), 202)


def _asked(body: bytes) -> tuple[str, control.Request]:
    """The name of a run, and what it is asked for.

    Raises:
        LabError: the body says no such thing.
    """
    try:
        wanted = ControlRequest.model_validate_json(body)
        fields = {"action": wanted.action, "rate": wanted.rate}
        return wanted.run, control.Request(id=secrets.token_hex(8), **fields)
    except ValidationError as error:
        raise LabError(
            f"this is no request to a run: send its name, an action out of "
            f"{', '.join(control.ACTIONS)}, and with 'rate' the new peak learning rate."
        ) from error


async def _follow(watch: Watch, socket: WebSocket) -> None:
    """Send lines as they are written; the next ones are read once these have left."""
    try:
        log = watch.catalog.folder(socket.query_params.get("run", "")) / LOG
        cursor = _cursor(socket.query_params)
    except LabError:
        await socket.close(4404)
        return
    await socket.accept()
    gone = asyncio.create_task(socket.receive())  # clients have nothing to say: this is their end
    try:
        while not gone.done():
            if is_known(log, cursor):
                await asyncio.wait({gone}, timeout=POLL_SECONDS)
                continue
            rows = read_rows(log, cursor)
            if rows.after != cursor:
                await socket.send_text(rows.json())
                cursor = rows.after
            if rows.is_last:
                await asyncio.wait({gone}, timeout=POLL_SECONDS)
    except (
        LabError,
        OSError,
        WebSocketDisconnect,
    ):  # the run was removed, or nobody looks any more
        return
    finally:
        gone.cancel()


async def _refused(request: Request, error: Exception) -> Response:
    return _said(Refusal(error=str(error)), 400)


def _cursor(query: QueryParams) -> Cursor:
    """Where to read from.

    Raises:
        LabError: it is no byte.
    """
    try:
        at, file = int(query.get("from", "0")), query.get("file")
        if not 0 <= at < 2**63:
            raise ValueError("out of range")
        return Cursor(at, int(file) if file else None)
    except ValueError:
        raise LabError("`from` is a byte of the log, and `file` the number of its file.") from None


def _said(answer: BaseModel, status: int = 200) -> Response:
    return Response(answer.model_dump_json(by_alias=True), status, media_type="application/json")

"""The routes of `llmlab watch`."""

import asyncio
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from llmlab.method.documents import in_one_line
from llmlab.method.errors import LabError
from llmlab.method.json_values import printable
from llmlab.runs import control
from llmlab.runs.folder import LOG
from llmlab.watch.access import BOOK, AccessMiddleware, AccessRules
from llmlab.watch.catalog import INSIDE, Catalog, checkpoints, made_at
from llmlab.watch.openapi import openapi
from llmlab.watch.pages import BookFiles
from llmlab.watch.rows import Cursor, is_known, read_rows
from llmlab.watch.schemas import (
    Accepted,
    Command,
    CommandRequest,
    ControlRequest,
    ErrorMessage,
    Health,
    InspectRequest,
    RunList,
    RunSummary,
    StartedCommand,
    StartedList,
)
from llmlab.watch.starting import PREFIX, Starter, command_of, require_shown

ASSETS = Path(__file__).parent / "assets"
POLL_SECONDS = 0.15
"""Between two checks whether a log has grown: soon enough for an eye, and rare enough for a trainer
that uses all cores."""
LONGEST_REQUEST = 4096
"""Limit on what a page sends, in bytes."""
VERSION = version("llmlab")


@dataclass(frozen=True)
class Watch:
    """What a server shows.

    Attributes:
        read_only: whether it refuses all requests to runs, and starts none.
        book: the folder of rendered books, if there is one.
        starter: starts commands.
    """

    catalog: Catalog
    read_only: bool = False
    book: Path | None = None
    starter: Starter = field(default_factory=lambda: Starter(Path()))


def make_app(watch: Watch, rules: AccessRules) -> ASGIApp:
    """The server as an ASGI application."""
    routes = [
        Route("/", _page),
        Route("/openapi.json", _openapi),
        Route("/api/health", partial(_health, watch)),
        Route("/api/runs", partial(_runs, watch)),
        Route("/api/rows", partial(_rows, watch)),
        Route("/api/started", partial(_started, watch)),
        Route("/api/control", partial(_control, watch), methods=["POST"]),
        Route("/api/command", _command, methods=["POST"]),
        Route("/api/start", partial(_start, watch), methods=["POST"]),
        Route("/api/inspect", partial(_inspect, watch), methods=["POST"]),
        Route("/inside", partial(_inside, watch)),
        WebSocketRoute("/ws", partial(_stream_rows, watch)),
        Mount("/assets", StaticFiles(directory=ASSETS)),
    ]
    if watch.book:
        routes.append(Mount(BOOK.rstrip("/"), BookFiles(directory=watch.book, html=True)))
    handlers = {LabError: _bad_request, OSError: _not_found, ClientDisconnect: _client_closed}
    return AccessMiddleware(Starlette(routes=routes, exception_handlers=handlers), rules)


async def _page(request: Request) -> Response:
    return FileResponse(ASSETS / "index.html")


async def _openapi(request: Request) -> Response:
    return JSONResponse(openapi(VERSION))


async def _health(watch: Watch, request: Request) -> Response:
    return _json(Health(version=VERSION, read_only=watch.read_only))


async def _runs(watch: Watch, request: Request) -> Response:
    found = watch.catalog.search()
    runs = [run for name, folder in found.runs.items() for run in _summary(name, folder)]
    return _json(RunList(runs=runs, notes=found.notes, book=watch.book is not None))


def _summary(name: str, folder: Path) -> Iterator[RunSummary]:
    """What the list says of a run; nothing if it was removed meanwhile."""
    with suppress(OSError):
        status = (folder / LOG).stat()
        yield RunSummary(
            name=name,
            bytes=status.st_size,
            modified=status.st_mtime,
            checkpoints=checkpoints(folder),
            inside=made_at(folder / INSIDE),
        )


async def _rows(watch: Watch, request: Request) -> Response:
    folder = watch.catalog.folder(request.query_params.get("run", ""))
    rows = read_rows(folder / LOG, _cursor(request.query_params))
    return Response(rows.json(), media_type="application/json")


async def _control(watch: Watch, request: Request) -> Response:
    _require_writable(watch)
    name, asked = _control_request(await _body(request))
    control.ask(watch.catalog.folder(name), asked)
    return _json(Accepted(id=asked.id), 202)


async def _command(request: Request) -> Response:
    """The command that would be started, so that nothing starts unseen."""
    wanted = _parsed(CommandRequest, await _body(request), "a verb and its arguments")
    return _json(Command(argv=list(command_of(wanted.verb, wanted.arguments))))


async def _start(watch: Watch, request: Request) -> Response:
    _require_writable(watch)
    command = _parsed(Command, await _body(request), "the argv that /api/command gave")
    return _json(Accepted(id=watch.starter.start(require_shown(command.argv)).id), 202)


async def _inspect(watch: Watch, request: Request) -> Response:
    """Have `llmlab inspect` look into the checkpoints of a run, in a process of its own."""
    _require_writable(watch)
    named = _parsed(InspectRequest, await _body(request), "the name of a run")
    folder = Path(os.path.relpath(watch.catalog.folder(named.run)))
    if not checkpoints(folder):
        raise LabError("this run has kept no checkpoint to look into: save one.")
    command = (*PREFIX, "inspect", str(folder), "--out", str(folder / INSIDE))
    return _json(Accepted(id=watch.starter.start(command).id), 202)


async def _inside(watch: Watch, request: Request) -> Response:
    page = watch.catalog.folder(request.query_params.get("run", "")) / INSIDE
    if made_at(page) is None:
        raise LabError("nobody has looked into this run yet: ask /api/inspect.")
    return FileResponse(page)


async def _started(watch: Watch, request: Request) -> Response:
    found = [
        StartedCommand(
            id=one.id,
            argv=list(map(printable, one.command)),
            code=one.code,
            output=one.output,
        )
        for one in watch.starter.started
    ]
    return _json(StartedList(started=found))


def _require_writable(watch: Watch) -> None:
    """Make sure that this server is not read-only; LabError if it is."""
    if watch.read_only:
        raise LabError("this server is read-only: start `llmlab watch` without --read-only.")


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_REQUEST:
            raise LabError(f"this request is too long: send at most {LONGEST_REQUEST} bytes.")
    return body


Model = TypeVar("Model", bound=BaseModel)


def _parsed(model: type[Model], body: bytes, wanted: str) -> Model:
    """The request in a body; LabError, which says what is wanted, if it cannot be read."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise LabError(f"this request cannot be read: send {wanted} as JSON.") from error


def _control_request(body: bytes) -> tuple[str, control.Request]:
    """The name of a run, and what it is asked for.

    Raises:
        LabError: the body is not such a request.
    """
    try:
        wanted = ControlRequest.model_validate_json(body)
        fields = {"action": wanted.action, "rate": wanted.rate}
        return wanted.run, control.Request(id=secrets.token_hex(8), **fields)
    except ValidationError as error:
        raise LabError(
            f"this is not a request to a run: send its name, one action of "
            f"{', '.join(control.ACTIONS)}, and for 'rate' the new peak learning rate."
        ) from error


async def _stream_rows(watch: Watch, socket: WebSocket) -> None:
    """Send lines as they are written; the next are read once these are sent."""
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
    except (LabError, OSError, WebSocketDisconnect):
        return  # the run was removed, or nobody looks any more
    finally:
        gone.cancel()


async def _bad_request(request: Request, error: Exception) -> Response:
    return _json(ErrorMessage(error=printable(str(error))), 400)


async def _not_found(request: Request, error: Exception) -> Response:
    """A run or page that was removed, or is not ours to read."""
    cause = in_one_line(error)
    return _json(ErrorMessage(error=f"a file cannot be used: {cause}; load the page again."), 404)


async def _client_closed(request: Request, error: Exception) -> Response:
    """Nobody waits for the answer any more."""
    return Response(status_code=400)


def _cursor(query: QueryParams) -> Cursor:
    """Where to read from.

    Raises:
        LabError: it is not a byte.
    """
    try:
        at, file = int(query.get("from", "0")), query.get("file")
        if not 0 <= at < 2**63:
            raise ValueError("out of range")
        return Cursor(at, int(file) if file else None)
    except ValueError:
        raise LabError("`from` is a byte of the log, and `file` the number of its file.") from None


def _json(answer: BaseModel, status: int = 200) -> Response:
    return Response(answer.model_dump_json(by_alias=True), status, media_type="application/json")

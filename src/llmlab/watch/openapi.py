"""The OpenAPI description of the server, generated from one table."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from llmlab.watch.schemas import (
    Accepted,
    Command,
    CommandRequest,
    ControlRequest,
    ErrorMessage,
    Health,
    InspectRequest,
    LogRows,
    RunList,
    StartedList,
)

RUN = {"name": "run", "in": "query", "required": True, "schema": {"type": "string"}}
FROM = {
    "name": "from", "in": "query", "schema": {"type": "integer", "minimum": 0, "default": 0},
    "description": "Byte to read from: `next` of the previous response.",
}  # fmt: skip
FILE = {
    "name": "file", "in": "query", "schema": {"type": "integer"},
    "description": "`file` of the previous response, to notice a log that was cut.",
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """What one path does.

    Attributes:
        response: schema of the response; None for a page of HTML.
        request: schema of the body of a POST; None for a GET.
        query: the parameters, in OpenAPI's form.
        status: of a successful response.
    """

    path: str
    summary: str
    response: type[BaseModel] | None
    request: type[BaseModel] | None = None
    query: tuple[dict[str, Any], ...] = ()
    status: int = 200

    def as_openapi(self) -> dict[str, Any]:
        """This operation in OpenAPI's form, by its HTTP method."""
        described: dict[str, Any] = {
            "summary": self.summary,
            "parameters": list(self.query),
            "responses": {
                str(self.status): _response(self.response),
                "default": _response(ErrorMessage),
            },
        }
        if self.request is None:
            return {"get": described}
        body = {"required": True, "content": _json(self.request)}
        return {"post": described | {"requestBody": body}}


OPERATIONS = (
    Operation("/api/health", "Whether the server is up.", Health),
    Operation("/api/runs", "All runs.", RunList),
    Operation("/api/rows", "Lines of the log of a run.", LogRows, query=(RUN, FROM, FILE)),
    Operation(
        "/ws",
        "WebSocket: the same lines as they are written; each message waits until the previous one "
        "has been sent.",
        LogRows,
        query=(RUN, FROM, FILE),
        status=101,
    ),
    Operation("/inside", "The page that shows the inside of a run's model.", None, query=(RUN,)),
    Operation("/api/started", "The commands started from the page.", StartedList),
    Operation("/api/control", "Send a request to a run.", Accepted, ControlRequest, status=202),
    Operation(
        "/api/command",
        "The command that a request would start; starts nothing.",
        Command,
        CommandRequest,
    ),
    Operation(
        "/api/start", "Start a command that /api/command returned.", Accepted, Command, status=202
    ),
    Operation(
        "/api/inspect",
        "Make the page /inside of a run again.",
        Accepted,
        InspectRequest,
        status=202,
    ),
)


def openapi(version: str) -> dict[str, Any]:
    """The OpenAPI description of the server."""
    used = {model for each in OPERATIONS for model in (each.response, each.request) if model}
    _, schemas = models_json_schema(
        [
            (model, "serialization")
            for model in sorted(used | {ErrorMessage}, key=lambda model: model.__name__)
        ],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "llmlab watch",
            "version": version,
            "description": "Live logs of training runs. Send the token of the printed link as "
            "`Authorization: Bearer TOKEN`, and the server's own address as `Origin` with POST "
            "and WebSocket.",
        },
        "paths": {each.path: each.as_openapi() for each in OPERATIONS},
        "components": {"schemas": schemas["$defs"]},
    }


def _response(model: type[BaseModel] | None) -> dict[str, Any]:
    if model is None:
        return {"description": "A page of HTML."}
    return {"description": str(model.__doc__), "content": _json(model)}


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}

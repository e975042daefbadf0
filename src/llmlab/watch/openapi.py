"""The OpenAPI description of the server, made of one table."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from llmlab.watch.answers import (
    Asked,
    Command,
    ControlRequest,
    Health,
    NamedRun,
    Refusal,
    RowsAnswer,
    RunList,
    StartedList,
    Wish,
)

RUN = {"name": "run", "in": "query", "required": True, "schema": {"type": "string"}}
FROM = {
    "name": "from", "in": "query", "schema": {"type": "integer", "minimum": 0, "default": 0},
    "description": "Byte to read from: `next` of the answer before.",
}  # fmt: skip
FILE = {
    "name": "file", "in": "query", "schema": {"type": "integer"},
    "description": "`file` of the answer before, so that a log that was cut is noticed.",
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """What one address does.

    Attributes:
        gives: the form of the answer; None for a page of HTML.
        takes: the form of the body of a POST; None for a GET.
        query: the parameters, as OpenAPI has them.
        status: of an answer that is no refusal.
    """

    path: str
    summary: str
    gives: type[BaseModel] | None
    takes: type[BaseModel] | None = None
    query: tuple[dict[str, Any], ...] = ()
    status: int = 200

    def described(self) -> dict[str, Any]:
        """This operation in OpenAPI's words, by its method."""
        words: dict[str, Any] = {
            "summary": self.summary,
            "parameters": list(self.query),
            "responses": {str(self.status): _answer(self.gives), "default": _answer(Refusal)},
        }
        if self.takes is None:
            return {"get": words}
        return {"post": words | {"requestBody": {"required": True, "content": _json(self.takes)}}}


OPERATIONS = (
    Operation("/api/health", "Whether the server is up.", Health),
    Operation("/api/runs", "All runs.", RunList),
    Operation("/api/rows", "Lines of the log of a run.", RowsAnswer, query=(RUN, FROM, FILE)),
    Operation(
        "/ws",
        "WebSocket: the same, as it is written; a message is sent only once the one before has "
        "left.",
        RowsAnswer,
        query=(RUN, FROM, FILE),
        status=101,
    ),
    Operation("/inside", "The page that shows the inside of a run's model.", None, query=(RUN,)),
    Operation("/api/started", "The commands that were started here.", StartedList),
    Operation("/api/control", "Ask a run for something.", Asked, ControlRequest, status=202),
    Operation(
        "/api/command", "The command that a request would start; nothing starts.", Command, Wish
    ),
    Operation("/api/start", "Start a command of /api/command.", Asked, Command, status=202),
    Operation("/api/inspect", "Make the page /inside of a run anew.", Asked, NamedRun, status=202),
)


def openapi(version: str) -> dict[str, Any]:
    """The OpenAPI description of the server."""
    forms = {form for each in OPERATIONS for form in (each.gives, each.takes) if form} | {Refusal}
    _, schemas = models_json_schema(
        [(form, "serialization") for form in sorted(forms, key=lambda form: form.__name__)],
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
        "paths": {each.path: each.described() for each in OPERATIONS},
        "components": {"schemas": schemas["$defs"]},
    }


def _answer(form: type[BaseModel] | None) -> dict[str, Any]:
    if form is None:
        return {"description": "A page of HTML."}
    return {"description": str(form.__doc__), "content": _json(form)}


def _json(form: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{form.__name__}"}}}

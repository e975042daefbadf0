"""The schemas of what the server sends and takes, and its OpenAPI description made of them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, JsonValue
from pydantic.json_schema import models_json_schema

from llmlab.runs.control import Action

Byte = Annotated[int, Field(ge=0, lt=2**63)]


class Health(BaseModel):
    """The server is up."""

    status: Literal["ok"] = "ok"
    version: str
    read_only: Annotated[bool, Field(description="Whether it refuses all requests to runs.")]


class RunSummary(BaseModel):
    """A run that there is."""

    name: str
    bytes: Annotated[Byte, Field(description="Of its log.")]
    modified: Annotated[float, Field(description="When the log was written to last, Unix time.")]
    checkpoints: Annotated[list[str], Field(description="Kept checkpoints, oldest first.")]
    inside: Annotated[
        float | None, Field(description="When its page at /inside was made, Unix time.")
    ]


class RunList(BaseModel):
    """All runs, the latest changed first."""

    runs: list[RunSummary]
    book: Annotated[bool, Field(description="Whether /book/ shows a rendered book.")]


class RowsAnswer(BaseModel):
    """Whole lines of a log; also the form of every message of /ws."""

    file: Annotated[int, Field(description="Number of the log's file; another one voids a cursor.")]
    from_: Annotated[Byte, Field(alias="from", description="0: forget what you knew of the run.")]
    next: Annotated[Byte, Field(description="The cursor to ask with next.")]
    size: Byte
    skipped: Annotated[int, Field(description="Lines that are not a JSON object.")]
    rows: list[dict[str, JsonValue]]


class ControlRequest(BaseModel):
    """What a run is asked for."""

    run: str
    action: Action
    rate: Annotated[float | None, Field(description="New peak learning rate, with 'rate'.")] = None


class Asked(BaseModel):
    """A request is in the run's control.jsonl; its answer comes as an event of the same id."""

    id: str


class Wish(BaseModel):
    """A run to start: a verb of `llmlab`, and its options as one would type them."""

    verb: str
    arguments: Annotated[str, Field(max_length=2000)] = ""


class Command(BaseModel):
    """A command, word by word; no shell reads it."""

    argv: list[str]


class NamedRun(BaseModel):
    """A run that there is."""

    run: str


class StartedCommand(BaseModel):
    """A command that was started from the page."""

    id: str
    argv: list[str]
    code: Annotated[int | None, Field(description="Exit code; null while it runs.")]
    output: Annotated[str, Field(description="The end of what it printed.")]


class StartedList(BaseModel):
    """The commands that were started, the latest first."""

    started: list[StartedCommand]


class Refusal(BaseModel):
    """Why not, in one sentence."""

    error: str


RUN = {"name": "run", "in": "query", "required": True, "schema": {"type": "string"}}
FROM = {
    "name": "from", "in": "query", "schema": {"type": "integer", "minimum": 0, "default": 0},
    "description": "Byte to read from: `next` of the answer before.",
}  # fmt: skip
FILE = {
    "name": "file", "in": "query", "schema": {"type": "integer"},
    "description": "`file` of the answer before, so that a log that was cut is noticed.",
}  # fmt: skip


POSTS = (
    ("/api/control", "Ask a run for something.", "ControlRequest", "202", "Asked"),
    (
        "/api/command",
        "The command that a request would start; nothing is started.",
        "Wish",
        "200",
        "Command",
    ),
    ("/api/start", "Start a command of /api/command.", "Command", "202", "Asked"),
    ("/api/inspect", "Make the page /inside of a run anew.", "NamedRun", "202", "Asked"),
)
"""Path, what it does, the schema that it takes, and the status and schema of its answer."""


def openapi(version: str) -> dict[str, Any]:
    """The OpenAPI description of the server."""
    models = (
        Health, RunList, RowsAnswer, ControlRequest, Asked, Refusal,
        Wish, Command, NamedRun, StartedList,
    )  # fmt: skip
    _, schemas = models_json_schema(
        [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}"
    )
    refused = {"default": _answer("Refused.", "Refusal")}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "llmlab watch",
            "version": version,
            "description": "Live logs of training runs. Send the token of the printed link as "
            "`Authorization: Bearer TOKEN`, and the server's own address as `Origin` with POST "
            "and WebSocket.",
        },
        "paths": {
            "/api/health": {"get": {"responses": {"200": _answer("Up.", "Health")}}},
            "/api/runs": {"get": {"responses": {"200": _answer("Runs.", "RunList"), **refused}}},
            "/api/rows": {
                "get": {
                    "parameters": [RUN, FROM, FILE],
                    "responses": {"200": _answer("Lines of the log.", "RowsAnswer"), **refused},
                }
            },
            "/ws": {
                "get": {
                    "summary": "WebSocket: the same, as it is written; a message is sent only once "
                    "the one before has left.",
                    "parameters": [RUN, FROM, FILE],
                    "responses": {"101": _answer("Each message.", "RowsAnswer"), **refused},
                }
            },
            "/inside": {
                "get": {
                    "summary": "A page of HTML that shows the inside of a run's model.",
                    "parameters": [RUN],
                    "responses": {"200": {"description": "The page."}, **refused},
                }
            },
            "/api/started": {
                "get": {"responses": {"200": _answer("Commands.", "StartedList"), **refused}}
            },
            **{
                path: {
                    "post": {
                        "summary": summary,
                        "requestBody": {"required": True, "content": _json(taken)},
                        "responses": {status: _answer("Done.", given), **refused},
                    }
                }
                for path, summary, taken, status, given in POSTS
            },
        },
        "components": {"schemas": schemas["$defs"]},
    }


def _answer(description: str, model: str) -> dict[str, Any]:
    return {"description": description, "content": _json(model)}


def _json(model: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model}"}}}

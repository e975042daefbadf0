"""The schemas of requests and responses."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, JsonValue

from llmlab.runs.control import Action

Byte = Annotated[int, Field(ge=0, lt=2**63)]


class Health(BaseModel):
    """The server is up."""

    status: Literal["ok"] = "ok"
    version: str
    read_only: Annotated[bool, Field(description="Whether it refuses all requests to runs.")]


class RunSummary(BaseModel):
    """A run and its log."""

    name: str
    bytes: Annotated[Byte, Field(description="Size of its log.")]
    modified: Annotated[float, Field(description="When its log was last written, Unix time.")]
    checkpoints: Annotated[list[str], Field(description="Kept checkpoints, oldest first.")]
    inside: Annotated[
        float | None, Field(description="When its page at /inside was made, Unix time.")
    ]


class RunList(BaseModel):
    """All runs, the latest changed first."""

    runs: list[RunSummary]
    notes: Annotated[
        list[str], Field(description="What cannot be read, and where no run was found.")
    ]
    book: Annotated[bool, Field(description="Whether /book/ shows a rendered book.")]


class LogRows(BaseModel):
    """Whole lines of a log; every message of /ws has this schema, too."""

    file: Annotated[
        int, Field(description="Number of the log's file; a new number invalidates the cursor.")
    ]
    from_: Annotated[
        Byte, Field(alias="from", description="0: discard all earlier rows of the run.")
    ]
    next: Annotated[Byte, Field(description="The cursor of the next request.")]
    size: Byte
    skipped: Annotated[int, Field(description="Lines that are not a JSON object.")]
    rows: list[dict[str, JsonValue]]


class ControlRequest(BaseModel):
    """A request to a run."""

    run: str
    action: Action
    rate: Annotated[float | None, Field(description="New peak learning rate, with 'rate'.")] = None


class Accepted(BaseModel):
    """The request will be carried out; a run answers it by an event with this id in its log."""

    id: str


class CommandRequest(BaseModel):
    """A run to start: a verb of `llmlab`, and its options as typed in a shell."""

    verb: str
    arguments: Annotated[str, Field(max_length=2000)] = ""


class Command(BaseModel):
    """A command, word by word; no shell reads it."""

    argv: list[str]


class InspectRequest(BaseModel):
    """A run whose model is to be inspected."""

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


class ErrorMessage(BaseModel):
    """Why a request failed, in one sentence."""

    error: str

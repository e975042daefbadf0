"""The schemas of what the server sends and takes."""

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

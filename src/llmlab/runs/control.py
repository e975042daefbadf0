"""Steering a run from outside: requests in `control.jsonl`, answers in `log.jsonl`.

Whoever watches a run appends a request. The trainer reads it between two steps, does what it asks
and logs an event "steered" of the same id. What was steered stands in the run's record.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from llmlab.method.files import unreadable, unwritable
from llmlab.runs.folder import RunFolder
from llmlab.runs.log import RunLog

CONTROL = "control.jsonl"
POLL_SECONDS = 0.1
"""Between two looks for a request while a run is paused."""

Action = Literal["pause", "resume", "stop", "checkpoint", "rate"]
ACTIONS: tuple[Action, ...] = get_args(Action)


class Request(BaseModel):
    """What a run is asked for.

    Attributes:
        id: names the request in its answer.
        rate: new peak learning rate; the schedule goes on at the step that it has reached. None
            for every action but "rate".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    action: Action
    rate: Annotated[float, Field(gt=0, lt=math.inf)] | None = None

    @model_validator(mode="after")
    def _rate_of_its_action(self) -> "Request":
        if (self.rate is None) == (self.action == "rate"):
            raise ValueError("a rate belongs to the action 'rate', and to no other")
        return self


@dataclass(frozen=True)
class Steered:
    """A request was followed after `step` steps."""

    step: int
    id: str
    action: Action
    rate: float | None = None

    @property
    def sentence(self) -> str:
        return f"steered: {self.action}" + (f" {self.rate:g}" if self.rate else "")


def listen(log: RunLog) -> None:
    """Log that a process takes requests from now on."""
    log.append("listening", {"actions": ACTIONS})


def ask(folder: Path, request: Request) -> None:
    """Append a request for the run in `folder`; LabError if the file cannot be written."""
    line = json.dumps(request.model_dump(exclude_none=True)) + "\n"
    try:
        with (folder / CONTROL).open("a", encoding="utf-8") as file:
            file.write(line)
    except OSError as error:
        raise unwritable(folder / CONTROL, error) from error


class Helm:
    """The trainer's end of the controls.

    Attributes:
        steered: every request that was followed, those before a resumption included.
        is_stopped: whether the run was asked to save and stop.
    """

    def __init__(self, folder: RunFolder) -> None:
        """Take requests from now on: earlier ones were meant for another process."""
        self._path = folder.path / CONTROL
        self._read = _size(self._path)
        self.is_stopped = False
        self.steered = [
            Steered(event.step or 0, **request.model_dump())
            for event in folder.log.events()
            if event.event == "steered" and (request := _request(event.model_extra))
        ]

    @property
    def rate(self) -> float | None:
        """The peak learning rate that was asked for last."""
        return next((asked.rate for asked in reversed(self.steered) if asked.rate), None)

    @property
    def record(self) -> dict[str, object]:
        """What the run's record says of it: nothing where nobody steered."""
        return {"steered": [asdict(one) for one in self.steered]} if self.steered else {}

    def requests(
        self,
        is_over: Callable[[], bool],
        agree: Callable[[list[Request]], list[Request]] = list,
    ) -> Iterator[Request]:
        """What was asked since the last step; a paused run waits here for the next request.

        Args:
            is_over: whether to stop waiting, since the run was interrupted otherwise.
            agree: gives each of several processes that train together the same requests.
        """
        is_paused = False
        while True:
            for request in agree(self._new()):
                is_paused = {"pause": True, "resume": False}.get(request.action, is_paused)
                self.is_stopped = request.action == "stop"
                yield request
                if self.is_stopped:
                    return
            if not is_paused or is_over():
                return
            time.sleep(POLL_SECONDS)

    def followed(self, request: Request, step: int) -> Steered:
        """The answer to a request that was followed after `step` steps."""
        answer = Steered(step, **request.model_dump())
        self.steered.append(answer)
        return answer

    def _new(self) -> list[Request]:
        """Whole lines since the last look; what is no request is passed over."""
        if _size(self._path) <= self._read:
            return []
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                whole = file.read().rpartition(b"\n")
        except OSError as error:
            raise unreadable(self._path, error) from error
        self._read += len(whole[0] + whole[1])
        return [request for line in whole[0].splitlines() if (request := _request_line(line))]


def _request_line(line: bytes) -> Request | None:
    try:
        return _request(json.loads(line))
    except (ValueError, RecursionError):
        return None


def _request(value: object) -> Request | None:
    try:
        return Request.model_validate(value)
    except ValidationError:
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0

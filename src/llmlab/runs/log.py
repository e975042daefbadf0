"""`log.jsonl`: one event per line, written as it happens, so that other programs can follow it."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from llmlab.method.documents import first_mistake
from llmlab.method.errors import LabError
from llmlab.method.files import unreadable, unwritable, write_file
from llmlab.method.json_values import json_value

LONGEST_LINE = 2**24
"""Longest line that is read, in bytes."""


class LoggedEvent(BaseModel):
    """One line of a log.

    Attributes:
        event: what happened, such as "run", "point", "validation" or "saved".
        step: optimizer step, if the event belongs to one.
        loss: in nats; None if missing, NaN or infinite.

    All other fields of the line are in `model_extra`, as parsed from JSON.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    event: str
    step: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    loss: float | None = None

    @field_validator("loss")
    @classmethod
    def _finite(cls, loss: float | None) -> float | None:
        return loss if loss is not None and math.isfinite(loss) else None


@dataclass(frozen=True)
class RunLog:
    """The log of a run; only the process that holds the run's folder writes it."""

    path: Path

    def start(self, run: Mapping[str, object]) -> None:
        """Start a log with the run's settings; LabError if it cannot be written."""
        write_file(self.path, _line("run", run))

    def append(self, event: str, fields: Mapping[str, object]) -> None:
        """Append an event; NaN and infinities become null.

        Raises:
            LabError: the file cannot be written.
        """
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(event, fields))
        except OSError as error:
            raise unwritable(self.path, error) from error

    def events(self) -> Iterator[LoggedEvent]:
        """Read the events in order; yield none if there is no log.

        Skips a last line that is still being written or was cut short by a kill.

        Raises:
            LabError: a line is not an event, or the file cannot be read.
        """
        return (event for _, event in self._lines())

    def cut(self, step: int) -> None:
        """Remove the events that a run resumed after `step` steps will log again.

        A point carries the index of its step, counted from 0; a validation carries the number of
        steps before it. Events that report a checkpoint saved or a request followed at `step` stay.
        """
        kept = [line for line, event in self._lines() if _is_before(event, step)]
        write_file(self.path, b"".join(kept))

    def _lines(self) -> Iterator[tuple[bytes, LoggedEvent]]:
        if not self.path.is_file():
            return
        try:
            with self.path.open("rb") as file:
                lines = iter(lambda: file.readline(LONGEST_LINE), b"")
                for number, line in enumerate(lines, start=1):
                    if line.endswith(b"\n"):
                        yield line, self._parsed(line, number)
                    elif len(line) == LONGEST_LINE:
                        raise self._damaged(number, f"it is longer than {LONGEST_LINE:,} bytes")
        except OSError as error:
            raise unreadable(self.path, error) from error

    def _parsed(self, line: bytes, number: int) -> LoggedEvent:
        try:
            return LoggedEvent.model_validate_json(line)
        except ValidationError as error:
            raise self._damaged(number, first_mistake(error)) from error

    def _damaged(self, number: int, cause: str) -> LabError:
        return LabError(
            f"line {number} of {self.path} is not an event of a run ({cause}): remove that line."
        )


def _line(event: str, fields: Mapping[str, object]) -> str:
    return json.dumps({"event": event, **json_value(fields)}, allow_nan=False) + "\n"


def _is_before(event: LoggedEvent, step: int) -> bool:
    """Whether a run resumed after `step` steps will not log this event again."""
    return event.step is None or event.step < step + (event.event in ("saved", "steered"))

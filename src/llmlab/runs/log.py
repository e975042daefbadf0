"""`log.jsonl`: one event a line, written as it happens, so that anything may follow it."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from llmlab.method.errors import LabError
from llmlab.method.files import unreadable, unwritable, write_file
from llmlab.method.json_values import json_value

LONGEST_LINE = 2**24
"""Most bytes of a line that is read."""


class LoggedEvent(BaseModel):
    """One line of a log.

    Attributes:
        event: what happened, such as "run", "point", "validation" or "saved".
        step: optimizer step, if the event belongs to one.
        loss: in nats; None where there is none or it is NaN or infinite.

    Whatever else the line holds is in `model_extra`, as JSON has it.
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
        """Begin a log with what decides the run; LabError if it cannot be written."""
        write_file(self.path, _line("run", run))

    def append(self, event: str, fields: Mapping[str, object]) -> None:
        """Add an event; NaN and infinities become null.

        Raises:
            LabError: the file cannot be written.
        """
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(event, fields))
        except OSError as error:
            raise unwritable(self.path, error) from error

    def events(self) -> Iterator[LoggedEvent]:
        """The events, in their order; none where there is no log.

        A last line that is still being written, or that a kill cut short, is left out.

        Raises:
            LabError: a line is not an event, or the file cannot be read.
        """
        return (event for _, event in self._lines())

    def cut(self, step: int) -> None:
        """Remove what a run that goes on after `step` steps will log again.

        Points carry the step that they took, counted from 0; validations the steps done before
        them. The lines that say that the checkpoint of `step` was saved, or that the run was
        steered there, stay.
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
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise self._damaged(number, f"{place}: {first['msg']}".removeprefix(": ")) from error

    def _damaged(self, number: int, cause: str) -> LabError:
        return LabError(
            f"line {number} of {self.path} is not an event of a run ({cause}): remove that line."
        )


def _line(event: str, fields: Mapping[str, object]) -> str:
    return json.dumps({"event": event, **json_value(fields)}, allow_nan=False) + "\n"


def _is_before(event: LoggedEvent, step: int) -> bool:
    """Whether a run that goes on after `step` steps does not log this event again."""
    return event.step is None or event.step < step + (event.event in ("saved", "steered"))

"""Read a log from a byte offset on."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic_core import from_json

from llmlab.method.files import unreadable
from llmlab.runs.log import LONGEST_LINE

CHUNK = 2**20
"""Bytes that are read at once, so that a client never has more than these in flight."""


@dataclass(frozen=True)
class Cursor:
    """A place in a log.

    Attributes:
        at: byte.
        file: number of the file that it was read from, or None at first. A log that is cut when a
            run is resumed is a new file.
    """

    at: int = 0
    file: int | None = None


@dataclass(frozen=True)
class Rows:
    """Whole lines of a log.

    Attributes:
        start: the cursor where they begin; its byte is 0 if everything read before is void.
        after: the cursor after them.
        size: bytes of the log.
        lines: JSON objects as they stand there.
        skipped: lines that are not a JSON object.
    """

    start: Cursor
    after: Cursor
    size: int
    lines: tuple[bytes, ...]
    skipped: int = 0

    @property
    def is_last(self) -> bool:
        """Whether there is no further whole line yet."""
        return self.after.at == self.start.at or self.after.at >= self.size

    def json(self) -> str:
        """What a client gets: the lines are passed on as they are."""
        head = {
            "file": self.after.file,
            "from": self.start.at,
            "next": self.after.at,
            "size": self.size,
            "skipped": self.skipped,
        }
        rows = b",\n".join(self.lines).decode()
        return f'{json.dumps(head)[:-1]}, "rows": [{rows}]}}'


def is_known(path: Path, cursor: Cursor) -> bool:
    """Whether the log is unchanged since it was read; costs next to nothing."""
    status = path.stat()
    return (status.st_ino, status.st_size) == (cursor.file, cursor.at)


def read_rows(path: Path, cursor: Cursor, limit: int = CHUNK) -> Rows:
    """Whole lines from the cursor on, about `limit` bytes of them.

    A log that is shorter than the cursor, or another file, is read from its beginning.

    Raises:
        LabError: the log cannot be read.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            is_same = cursor.file in (None, status.st_ino) and cursor.at <= status.st_size
            start = Cursor(cursor.at if is_same else 0, status.st_ino)
            file.seek(start.at)
            data = _whole_lines(file, limit)
    except OSError as error:
        raise unreadable(path, error) from error
    lines = data.splitlines()
    good = _objects(lines)
    after = Cursor(start.at + len(data), start.file)
    return Rows(start, after, status.st_size, good, len(lines) - len(good))


def _whole_lines(file: IO[bytes], limit: int) -> bytes:
    data = file.read(limit)
    end = data.rfind(b"\n") + 1
    if end or len(data) < limit:
        return data[:end]
    data += file.readline(LONGEST_LINE)  # one line longer than the limit
    return data if data.endswith(b"\n") or len(data) > LONGEST_LINE else b""


def _objects(lines: list[bytes]) -> tuple[bytes, ...]:
    """The lines that a browser reads as objects; it rejects NaN, which Python's JSON allows."""
    try:  # all at once, which is several times as fast
        found = from_json(b"[" + b",".join(lines) + b"]", allow_inf_nan=False)
        if len(found) == len(lines) and all(isinstance(one, dict) for one in found):
            return tuple(lines)
    except ValueError:
        pass
    return tuple(line for line in lines if _is_object(line))


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(from_json(line, allow_inf_nan=False), dict)
    except ValueError:
        return False

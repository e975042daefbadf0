"""Episodes on disk: one JSON line for each koan that was tried, with an id and a schema.

Lines are appended and flushed one by one. Readers skip a last line that a crash or a full disk cut
short; the next writer removes it.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from llmlab.method.documents import first_mistake
from llmlab.method.errors import LabError
from llmlab.method.files import read_bytes

SCHEMA = 1
"""Raise it with any change of the lines that older readers misread."""
BEGINNING = b'{"schema_version":'
"""How the line of an episode begins."""


class Turn(BaseModel):
    """One answer and its outcome.

    Attributes:
        outcome: of the judge, or "no edit", or "no answer".
        said: the judge's message, or what is wrong with the answer.
    """

    model_config = ConfigDict(frozen=True)

    answer: str
    outcome: Literal["green", "compile", "test", "crash", "limit", "no edit", "no answer"]
    error: str = ""
    line: int = 0
    said: str = ""
    code: str = ""
    prompt_tokens: int = 0
    tokens: int = 0
    seconds: float = 0.0


class Episode(BaseModel):
    """One koan tried by one model, from red to green or to the last turn.

    Attributes:
        start_error, start_line, start_said: why the start is red.
        solution: the reference, which the model has not seen.
        sandbox: the level at which its code ran.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = SCHEMA
    id: str
    run: str
    koan: str
    family: str
    language: Literal["rust", "python"]
    template: str
    model: str
    sandbox: str
    start: str
    solution: str
    start_outcome: str
    start_error: str
    start_line: int
    start_said: str
    turns: tuple[Turn, ...]

    @property
    def is_green(self) -> bool:
        return bool(self.turns) and self.turns[-1].outcome == "green"

    @property
    def key(self) -> str:
        """What two runs must share so that their episodes can be compared."""
        return hashlib.sha256(f"{self.koan}\0{self.start}".encode()).hexdigest()[:16]


def episode_id(run: str, koan: str, start: str) -> str:
    return hashlib.sha256(f"{run}\0{koan}\0{start}".encode()).hexdigest()[:16]


class EpisodeFile:
    """Appends episodes to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, episode: Episode) -> None:
        """Write one line, whole, or leave the file as it was.

        Raises:
            LabError: the disk is full, or the file cannot be written to.
        """
        line = (episode.model_dump_json() + "\n").encode()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                end = _whole_length(self.path)
                rest = _rest(self.path, end)
                if _is_episode(rest):  # an editor removed the end of its line
                    end, line = end + len(rest), b"\n" + line
                file.truncate(end)
                try:
                    _write(file.fileno(), line)
                except OSError:
                    file.truncate(end)
                    raise
        except OSError as error:
            raise LabError(
                f"{self.path} takes no more episodes ({error.strerror}): earlier ones are kept; "
                "make room and run the same command again, which resumes where it stopped."
            ) from error

    def read(self) -> list[Episode]:
        """All whole episodes.

        Raises:
            LabError: the file is missing or too large, or a line before the last is damaged.
        """
        return list(self._episodes())

    def _episodes(self) -> Iterator[Episode]:
        if not self.path.exists():  # it may be a pipe
            raise LabError(
                f"there is no file {self.path}: name the file of episodes that `llmlab sleep run` "
                "wrote."
            )
        *lines, rest = read_bytes(self.path).split(b"\n")
        if _is_episode(rest):
            lines.append(rest)
        elif not lines and rest[: len(BEGINNING)] != BEGINNING[: len(rest)]:
            raise LabError(
                f"{self.path} holds no episode: name the file of episodes that `llmlab sleep run` "
                "wrote, or a new one."
            )
        for number, line in enumerate(lines, 1):
            try:
                yield Episode.model_validate_json(line)
            except ValidationError as error:
                raise LabError(
                    f"line {number} of {self.path} is not an episode "
                    f"({first_mistake(error)}): remove the line, or run again into a new file."
                ) from None


def _is_episode(line: bytes) -> bool:
    try:
        Episode.model_validate_json(line)
    except ValidationError:
        return False
    return True


def _rest(path: Path, start: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read()


def _whole_length(path: Path) -> int:
    """Bytes up to the end of the last whole line."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        tail = b""
        while end - len(tail) > 0:
            start = max(0, end - len(tail) - 65536)
            file.seek(start)
            tail = file.read(end - start)
            if b"\n" in tail:
                return start + tail.rindex(b"\n") + 1
            if start == 0:
                return 0
    return 0


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
    os.fsync(descriptor)

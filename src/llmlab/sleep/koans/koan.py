"""What a koan is, and those that come with the lab."""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmlab.method.declare.catalog import suggestion
from llmlab.method.documents import first_mistake, parse_toml
from llmlab.method.errors import LabError
from llmlab.method.files import read_text

Language = Literal["rust", "python"]


@dataclass(frozen=True)
class Case:
    """One test: an expression, and how its value is printed (`{:?}` in Rust, `repr` in Python).

    What is expected never enters the sandbox, so no program can pass by printing "ok" or by
    leaving early with exit(0).
    """

    expression: str
    expected: str


@dataclass(frozen=True)
class Program:
    """Code and the cases that judge it."""

    code: str
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Koan:
    """One small broken program.

    Attributes:
        family: the pattern of its bug.
        error: why it is red: a compiler's error code, the name of an exception, "panic", or
            "wrong" for a wrong value.
        older: codes that compilers of earlier years give in its place.
        start: the code to repair.
        solution: one way of repairing it.
        hint: advice for its family.
        template: the structure that it was generated from; empty where it was written by hand.
    """

    name: str
    family: str
    language: Language
    error: str
    start: str
    solution: str
    cases: tuple[Case, ...]
    hint: str = ""
    template: str = ""
    older: tuple[str, ...] = ()

    def broken(self) -> Program:
        return Program(self.start, self.cases)

    def solved(self) -> Program:
        return Program(self.solution, self.cases)


class _Entry(BaseModel):
    """A koan as stored in a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    error: str = Field(min_length=1)
    start: str = Field(min_length=1)
    solution: str = Field(min_length=1)
    cases: list[tuple[str, str]] = Field(min_length=1)
    older: list[str] = []


class _Family(BaseModel):
    """A file of koans: one family."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    language: Language = "rust"
    hint: str
    koan: list[_Entry] = Field(min_length=1)


@cache
def builtin_koans() -> tuple[Koan, ...]:
    """The koans of the lab, family by family."""
    folder = resources.files("llmlab.sleep.koans") / "builtin"
    files = sorted(path for path in folder.iterdir() if path.name.endswith(".toml"))
    return tuple(koan for path in files for koan in read_koans(Path(str(path))))


def read_koans(path: Path) -> tuple[Koan, ...]:
    """The koans of one file, which is one family.

    Raises:
        LabError: the file is missing or holds something else.
    """
    try:
        family = _Family.model_validate(parse_toml(read_text(path), path))
    except ValidationError as error:
        raise LabError(
            f"{path} holds no koans ({first_mistake(error)}): write it as the files in "
            "src/llmlab/sleep/koans/builtin are written."
        ) from None
    return tuple(
        Koan(
            name=entry.name,
            family=family.family,
            language=family.language,
            error=entry.error,
            start=entry.start,
            solution=entry.solution,
            cases=tuple(Case(*case) for case in entry.cases),
            hint=family.hint,
            older=tuple(entry.older),
        )
        for entry in family.koan
    )


def choose_koans(which: str) -> tuple[Koan, ...]:
    """The koans of a file, of a name or a family, or all that come with the lab.

    Raises:
        LabError: there is none with this name.
    """
    if which == "all":
        return builtin_koans()
    if which.endswith(".toml"):
        return read_koans(Path(which))
    known = builtin_koans()
    if found := tuple(koan for koan in known if which in (koan.name, koan.family)):
        return found
    names = [koan.name for koan in known]
    raise LabError(
        f"there is no koan '{which}'{suggestion(which, names)}: `llmlab sleep koans list` shows "
        "their names; a file of koans ends in .toml."
    )

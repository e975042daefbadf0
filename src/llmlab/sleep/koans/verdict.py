"""A judge's verdict on a program."""

from dataclasses import dataclass
from typing import Literal

from llmlab.sleep.koans.koan import Program

Outcome = Literal["green", "compile", "test", "crash", "limit"]
"""Passed; not compiled; a wrong value or a panic; ended its process; used too much."""


@dataclass(frozen=True)
class Verdict:
    """The judgement of one program.

    Attributes:
        error: a compiler's error code, the name of an exception, "panic", "wrong", "exit", or
            the limit that was reached; empty where green.
        line: of the program, from 1; 0 if no line is to blame.
        message: what the compiler or the test says.
    """

    outcome: Outcome
    error: str = ""
    line: int = 0
    message: str = ""

    @property
    def is_green(self) -> bool:
        return self.outcome == "green"


GREEN = Verdict("green")


@dataclass(frozen=True)
class Seen:
    """What came of compiling and running a program.

    Attributes:
        values: of its cases in their order, up to the first that has none.
        failure: why there are no more; None if every case has a value.
    """

    values: tuple[str, ...] = ()
    failure: Verdict | None = None


def judged(program: Program, seen: Seen) -> Verdict:
    """The verdict on a program, by the values of its cases and nothing else that it prints."""
    for case, value in zip(program.cases, seen.values, strict=False):
        if value != case.expected:
            shown = f"{case.expression} is {value[:200]}, not {case.expected}"
            return Verdict("test", "wrong", 0, shown)
    return seen.failure or GREEN

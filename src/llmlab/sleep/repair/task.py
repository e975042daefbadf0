"""What a model is asked, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from llmlab.sleep.koans.koan import Language
from llmlab.sleep.koans.verdict import Verdict


@dataclass(frozen=True)
class Example:
    """A repair to learn from, shown before the question."""

    code: str
    verdict: Verdict
    edit: str


@dataclass(frozen=True)
class Task:
    """A red program, and the help that is given.

    Attributes:
        verdict: why it is red.
        family: of the bug, if the model is told; else empty.
        hint: advice for the family, in words; else empty.
        complaint: what was wrong with the answer before this one; else empty.
    """

    language: Language
    code: str
    verdict: Verdict
    family: str = ""
    hint: str = ""
    examples: tuple[Example, ...] = ()
    complaint: str = ""


@dataclass(frozen=True)
class Answer:
    """What a model said.

    Attributes:
        text: an edit, if the model keeps to the format.
        failure: why there is no answer (a server that is down, ...); else empty.
    """

    text: str
    prompt_tokens: int = 0
    tokens: int = 0
    seconds: float = 0.0
    failure: str = ""


class Client(Protocol):
    """A model that repairs programs.

    Attributes:
        name: for episodes and tables.
    """

    name: str

    def answer(self, tasks: Sequence[Task], turn: int) -> list[Answer]:
        """An answer to each task, in their order; one that fails is an answer, too.

        Args:
            turn: from 0; if answers are drawn, each turn draws anew.
        """

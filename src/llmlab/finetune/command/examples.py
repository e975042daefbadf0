"""What fine-tuning learns from: the examples of a skill, or of a file of JSON lines.

A line is {"prompt": …, "response": …}, or {"messages": [{"role": …, "content": …}, …]} that ends
with the assistant's.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from llmlab.finetune.tasks.skills import SKILLS, Item, Split, new_facts, subtraction
from llmlab.method.catalog import suggestion
from llmlab.method.errors import LabError

SKILL = "skills:"
FACTS = "facts:"
MOST_FACTS = 4000
"""Names of two syllables are few."""
TASKS: dict[str, Callable[[], Split]] = {**SKILLS, "subtraction": subtraction}
"""Skills by the name that follows `skills:`; `facts:N` is one more."""


class _Strict(BaseModel):
    """Of a line whatever else it says is passed over."""

    model_config = ConfigDict(frozen=True, strict=True)


class Pair(_Strict):
    """A prompt and the response to it, one right after the other."""

    prompt: str
    response: str = Field(min_length=1)


class Message(_Strict):
    role: Literal["system", "user", "assistant"]
    content: str


class Chat(_Strict):
    """A conversation in which every message of the assistant is an answer."""

    messages: list[Message] = Field(min_length=2)

    @model_validator(mode="after")
    def _ends_with_an_answer(self) -> "Chat":
        if self.messages[-1].role != "assistant":
            raise ValueError("the last message is not the assistant's")
        if self.messages[0].role == "assistant":
            raise ValueError("the first message is the assistant's, who has nothing to answer")
        if any(not m.content for m in self.messages if m.role == "assistant"):
            raise ValueError("an answer is empty")
        return self


@dataclass(frozen=True)
class Example:
    """One text to learn from.

    Attributes:
        where: file and line, or skill and item, to name it by.
        line: of the file, counted from 1; 0 in a skill.
    """

    content: Pair | Chat
    where: str
    line: int = 0


@dataclass(frozen=True)
class Skipped:
    """A bad line that was left out; `line` counts from 1."""

    line: int
    reason: str


@dataclass(frozen=True)
class Reading:
    """What a file holds: its examples, and its bad lines where these were to be skipped."""

    examples: tuple[Example, ...]
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True)
class Data:
    """Examples to train on, to test on (none where the source keeps none apart), and bad lines."""

    train: tuple[Example, ...]
    test: tuple[Example, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    @property
    def test_is_train(self) -> bool:
        """Whether what is tested is what was learned, as with facts, which nobody can infer."""
        contents = ([example.content for example in part] for part in (self.train, self.test))
        return next(contents) == next(contents)


def open_data(source: str, *, skip_bad: bool = False) -> Data:
    """The examples of `skills:NAME` or of a file of JSON lines.

    Raises:
        LabError: as `skill_data` and `read_examples`.
    """
    if source.startswith(SKILL):
        return skill_data(source.removeprefix(SKILL))
    if source in TASKS or source.startswith(FACTS):
        raise LabError(f"there is no file '{source}': for the skill, say {SKILL}{source}.")
    reading = read_examples(Path(source), skip_bad=skip_bad)
    return Data(reading.examples, skipped=reading.skipped)


def skill_data(name: str) -> Data:
    """Train and test items of a skill; the facts of `facts:N` are all of them both.

    Raises:
        LabError: there is no such skill, or N is no number of facts that there are.
    """
    if name.startswith(FACTS):
        facts = new_facts(_count(name))
        return _data(name, Split(facts, facts))
    if name not in TASKS:
        raise LabError(
            f"there is no skill '{name}'{suggestion(name, TASKS)}: choose one of "
            f"{', '.join(TASKS)}, or {FACTS}N for N made-up facts."
        )
    return _data(name, TASKS[name]())


def read_examples(path: Path, *, skip_bad: bool = False) -> Reading:
    """The examples of a file of JSON lines; blank lines are none.

    Raises:
        LabError: there is no such file, a line of it is bad and not to be skipped, or no line is
            good.
    """
    examples, skipped = [], []
    for line, text in _lines(path):
        try:
            examples.append(Example(_parsed(text), f"{path}, line {line}", line))
        except ValueError as error:
            if not skip_bad:
                raise LabError(
                    f"line {line} of {path} is no example ({error}): mend it, or leave out all "
                    "such lines with --skip-bad."
                ) from None
            skipped.append(Skipped(line, str(error)))
    if not examples:
        bad = f": all its {len(skipped)} lines are bad" if skipped else ""
        raise LabError(
            f"{path} holds no example{bad}; write one a line, such as "
            '{"prompt": "1+1=", "response": "2"}.'
        )
    return Reading(tuple(examples), tuple(skipped))


def _data(name: str, split: Split) -> Data:
    def examples(items: Iterable[Item], part: str) -> tuple[Example, ...]:
        return tuple(
            Example(
                Pair(prompt=item.prompt, response=item.answer),
                f"{SKILL}{name}, {part} item {number}",
            )
            for number, item in enumerate(items, start=1)
        )

    return Data(examples(split.train, "train"), examples(split.test, "test"))


def _count(name: str) -> int:
    count = name.removeprefix(FACTS)
    if not (count.isascii() and count.isdigit() and 1 <= int(count) <= MOST_FACTS):
        raise LabError(
            f"'{SKILL}{name}' asks for {count or 'no number of'} facts: ask for 1 to {MOST_FACTS}, "
            f"as in {SKILL}{FACTS}64."
        )
    return int(count)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbers and bytes of the lines that are not blank."""
    try:
        with path.open("rb") as file:
            yield from ((n, line) for n, line in enumerate(file, start=1) if line.strip())
    except FileNotFoundError:
        beside = [str(other) for other in path.parent.glob("*.jsonl")]
        raise LabError(
            f"there is no file '{path}'{suggestion(str(path), beside)}: name a file of JSON lines, "
            f"or a skill such as {SKILL}subtraction."
        ) from None
    except OSError as error:
        raise LabError(
            f"cannot read {path}: {error.strerror or error}; name a file of JSON lines."
        ) from error


def _parsed(line: bytes) -> Pair | Chat:
    """What a line says; ValueError with the reason where it is bad."""
    try:
        value = json.loads(line.decode("utf-8-sig").strip(), parse_constant=_no_number)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except UnicodeEncodeError:
        raise ValueError("it holds half a character, a lone surrogate") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    form = Chat if "messages" in value else Pair
    try:
        return form.model_validate(value)
    except ValidationError as error:
        raise ValueError(_reason(error)) from None


def _no_number(name: str) -> None:
    raise ValueError(f"it holds {name}, which is no JSON")


def _reason(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    said = first["msg"].removeprefix("Value error, ").removesuffix(".")
    return f"{place}: {said}" if place else said

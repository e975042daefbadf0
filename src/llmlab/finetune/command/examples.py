"""The examples to train on: those of a skill, or of a file of JSON lines.

A line is {"prompt": …, "response": …}, or {"messages": [{"role": …, "content": …}, …]} that ends
with the assistant's. A message of the assistant may have a "weight" of 0: it is read, not learned.
A conversation may have "tools", calls of them ("tool_calls") and their answers (the role "tool").
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from llmlab.finetune.command.strict_json import LONGEST_LINE, json_object, load_json, shown_key
from llmlab.finetune.tasks.skills import SKILLS, Item, Split, new_facts, subtraction
from llmlab.method.declare.catalog import suggestion
from llmlab.method.documents import first_mistake
from llmlab.method.errors import LabError
from llmlab.method.files import read_lines

SKILL = "skills:"
FACTS = "facts:"
MAX_FACTS = 4000
"""There are few more made-up names of two syllables."""
MOST_KEYS = 4
"""Keys of a line that a message repeats."""
TASKS: dict[str, Callable[[], Split]] = {**SKILLS, "subtraction": subtraction}
"""Skills by the name after `skills:`; `facts:N` comes on top."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class Pair(_Strict):
    """A prompt, directly followed by its response."""

    prompt: str
    response: str = Field(min_length=1)


def _unpacked(value: object) -> object:
    """What a string of JSON holds; anything else as it is."""
    return load_json(value) if isinstance(value, str) else value


def _call(value: object) -> object:
    """A call whose arguments are an object, as templates want them, and not its JSON in a string.

    Inference servers unpack them likewise before they write a prompt.
    """
    if not isinstance(value, dict):
        raise ValueError("a call is not an object")
    if isinstance(value.get("function"), dict):
        return {**value, "function": _call(value["function"])}
    if not isinstance(value.get("name"), str) or not value["name"]:
        raise ValueError("a call names no function")
    arguments = _unpacked(value.get("arguments") or {})
    if not isinstance(arguments, dict):
        raise ValueError("the arguments of a call are not an object")
    return {**value, "arguments": arguments}


Call = Annotated[dict[str, JsonValue], BeforeValidator(_call)]
Tools = Annotated[list[dict[str, JsonValue]], BeforeValidator(_unpacked)]


class Message(_Strict):
    """One message; an answer of weight 0 is read, but not learned.

    Attributes:
        tool_calls: what the assistant calls; to be learned as what it says.
        tool_call_id, name: which call a tool answers.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    weight: Literal[0, 1] = 1
    tool_calls: list[Call] = Field(default_factory=list)
    tool_call_id: str | None = None
    name: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _calls_need_no_content(cls, value: object) -> object:
        calls = isinstance(value, dict) and value.get("tool_calls")
        return {"content": "", **value} if calls else value

    @property
    def is_learned(self) -> bool:
        return self.role == "assistant" and self.weight == 1


class Chat(_Strict):
    """A conversation; each message of the assistant is an answer to learn."""

    messages: list[Message] = Field(min_length=2)
    tools: Tools = Field(default_factory=list)

    @model_validator(mode="after")
    def _ends_with_an_answer(self) -> "Chat":
        if self.messages[-1].role != "assistant":
            raise ValueError("the last message is not the assistant's")
        if self.messages[0].role == "assistant":
            raise ValueError("the first message is the assistant's, who has nothing to answer")
        answers = (message for message in self.messages if message.role == "assistant")
        if any(not (answer.content or answer.tool_calls) for answer in answers):
            raise ValueError("an answer is empty")
        if not self.learned:
            raise ValueError("every answer has weight 0, so there is nothing to learn")
        return self

    @property
    def learned(self) -> list[int]:
        """Positions of the answers that count."""
        return [index for index, message in enumerate(self.messages) if message.is_learned]

    @property
    def uses_tools(self) -> bool:
        calls = any(message.tool_calls or message.role == "tool" for message in self.messages)
        return bool(self.tools) or calls


PAIR_KEYS = frozenset(Pair.model_fields)
CHAT_KEYS = frozenset(Chat.model_fields)
MESSAGE_KEYS = frozenset({"role", "content", "weight"})
KEYS_OF_ROLES = {
    "assistant": MESSAGE_KEYS | {"tool_calls"},
    "tool": MESSAGE_KEYS | {"tool_call_id", "name"},
}
"""Keys of a message that are read; those of other roles are `MESSAGE_KEYS`."""
UNSUPPORTED = frozenset(
    {
        *("tools", "tool_calls", "tool_call_id", "functions", "function_call"),
        *("thinking", "reasoning", "reasoning_content", "chat_template_kwargs"),
        *("system", "history", "labels", "train", "train_detail", "training"),
        *("loss", "loss_mask", "mask", "masked"),
    }
)
"""Keys with which other programs change what is learned. Elsewhere unknown keys are labels."""
NOTHING = (None, "", [], {})
"""Values of such a key that change nothing; tables of other programs are filled up with them."""
FORMS = '{"prompt": "1+1=", "response": "2"}, or with "messages"'


@dataclass(frozen=True)
class Example:
    """One training text.

    Attributes:
        where: file and line, or skill and item, for messages.
        line: number in the file, from 1; 0 for a skill.
    """

    content: Pair | Chat
    where: str
    line: int = 0


@dataclass(frozen=True)
class SkippedLine:
    """A bad line that was left out; lines count from 1."""

    line: int
    reason: str


@dataclass(frozen=True)
class ParsedFile:
    """The examples of a file, and what was not read of it.

    Attributes:
        skipped: bad lines.
        unread: keys that nothing is learned from, and how often each occurs.
    """

    examples: tuple[Example, ...]
    skipped: tuple[SkippedLine, ...] = ()
    unread: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """Training examples, test examples (none if the source is one file), and what was not read.

    Attributes:
        skipped, unread: as in `ParsedFile`.
    """

    train: tuple[Example, ...]
    test: tuple[Example, ...] = ()
    skipped: tuple[SkippedLine, ...] = ()
    unread: Mapping[str, int] = field(default_factory=dict)

    @property
    def test_is_train(self) -> bool:
        """Whether the test examples are the training examples, as for facts."""
        contents = ([example.content for example in part] for part in (self.train, self.test))
        return next(contents) == next(contents)


def open_dataset(source: str, *, skip_bad: bool = False) -> Dataset:
    """The examples of `skills:NAME` or of a file of JSON lines.

    Raises:
        LabError: as `skill_dataset` and `read_examples`.
    """
    if source.startswith(SKILL):
        return skill_dataset(source.removeprefix(SKILL))
    if source in TASKS or source.startswith(FACTS):
        raise LabError(f"there is no file '{source}': for the skill, say {SKILL}{source}.")
    reading = read_examples(Path(source), skip_bad=skip_bad)
    return Dataset(reading.examples, skipped=reading.skipped, unread=reading.unread)


def skill_dataset(name: str) -> Dataset:
    """Training and test items of a skill; all facts of `facts:N` are both.

    Raises:
        LabError: there is no such skill, or N is out of range.
    """
    if name.startswith(FACTS):
        facts = new_facts(_count(name))
        return _dataset(name, Split(facts, facts))
    if name not in TASKS:
        raise LabError(
            f"there is no skill '{name}'{suggestion(name, TASKS)}: choose one of "
            f"{', '.join(TASKS)}, or {FACTS}N for N made-up facts."
        )
    return _dataset(name, TASKS[name]())


def read_examples(path: Path, *, skip_bad: bool = False) -> ParsedFile:
    """The examples of a file of JSON lines; blank lines are skipped.

    Raises:
        LabError: there is no such file, or it is too large; a line is bad and `skip_bad` is False;
            or no line is good.
    """
    examples, skipped, unread = [], [], Counter()
    for line, text in _lines(path):
        try:
            value = json_object(text)
            found = _unread_keys(value)
            examples.append(Example(_parsed(value), f"{path}, line {line}", line))
            unread.update(found)
        except ValueError as error:
            if not skip_bad:
                raise LabError(
                    f"line {line} of {path} is not an example ({error}): correct it, or skip all "
                    "such lines with --skip-bad."
                ) from None
            skipped.append(SkippedLine(line, str(error)))
    if not examples:
        bad = f": all its {len(skipped)} lines are bad" if skipped else ""
        raise LabError(f"{path} holds no example{bad}: write one a line, such as {FORMS}.")
    return ParsedFile(tuple(examples), tuple(skipped), unread)


def _dataset(name: str, split: Split) -> Dataset:
    def examples(items: Iterable[Item], part: str) -> tuple[Example, ...]:
        return tuple(
            Example(
                Pair(prompt=item.prompt, response=item.answer),
                f"{SKILL}{name}, {part} item {number}",
            )
            for number, item in enumerate(items, start=1)
        )

    return Dataset(examples(split.train, "train"), examples(split.test, "test"))


def _count(name: str) -> int:
    count = name.removeprefix(FACTS)
    if not (count.isascii() and count.isdigit() and 1 <= int(count) <= MAX_FACTS):
        raise LabError(
            f"'{SKILL}{name}' asks for {count or 'no number of'} facts: ask for 1 to {MAX_FACTS}, "
            f"as in {SKILL}{FACTS}64."
        )
    return int(count)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number and first bytes of each line that is not blank: one more than a line may have."""
    if not path.exists():  # it may be a pipe
        beside = [str(other) for other in path.parent.glob("*.jsonl")]
        raise LabError(
            f"there is no file '{path}'{suggestion(str(path), beside)}: name a file of JSON lines, "
            f"or a skill such as {SKILL}subtraction."
        )
    lines = enumerate(read_lines(path, LONGEST_LINE + 1), start=1)
    return ((number, line) for number, line in lines if line.strip())


def _parsed(value: dict[str, object]) -> Pair | Chat:
    if not value.keys() & (PAIR_KEYS | CHAT_KEYS):
        keys = ", ".join(shown_key(key) for key in sorted(value)[:MOST_KEYS]) or "nothing"
        raise ValueError(f"it has {keys}, where {FORMS} is read")
    form = Chat if "messages" in value else Pair
    try:
        return form.model_validate(value)
    except ValidationError as error:
        raise ValueError(first_mistake(error)) from None


def _unread_keys(value: dict[str, object]) -> set[str]:
    """Keys of a line that nothing is learned from; ValueError for one that should change it."""
    known = CHAT_KEYS if "messages" in value else PAIR_KEYS
    unread = _unknown(value, known, "it")
    messages = value.get("messages")
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        if isinstance(message, dict):
            role = message.get("role")
            known = KEYS_OF_ROLES[role] if role in ("assistant", "tool") else MESSAGE_KEYS
            found = _unknown(message, known, f"messages.{index}")
            unread |= {f"messages.*.{key}" for key in found}
    return unread


def _unknown(value: dict[str, object], known: frozenset[str], where: str) -> set[str]:
    is_empty = {key for key in value if key in UNSUPPORTED and value[key] in NOTHING}
    unknown = value.keys() - known - is_empty
    for key in sorted(unknown):
        likely = suggestion(key, known)
        if likely or key in UNSUPPORTED | PAIR_KEYS | CHAT_KEYS | MESSAGE_KEYS:
            raise ValueError(
                f"{where} has the key {shown_key(key)}{likely}, which is not supported"
            )
    return unknown

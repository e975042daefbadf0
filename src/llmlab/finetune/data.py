"""What fine-tuning learns from: JSON lines or a skill, and how examples become tokens.

A line is {"prompt": …, "response": …}, or {"messages": [{"role": …, "content": …}, …]} that ends
with the assistant's. The loss counts answers alone, each with the token that ends it.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from llmlab.finetune.bases import Messages, TextCodec
from llmlab.finetune.batches import Sequences
from llmlab.finetune.skills import SKILLS, Item, Split, new_facts, subtraction
from llmlab.gpt.model import IGNORE
from llmlab.method.declare.catalog import suggestion
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


def encode_examples(
    examples: Sequence[Example], tokenizer: TextCodec, context: int, *, pack: bool = False
) -> Sequences:
    """Examples as rows of tokens, padded on the right; the loss counts answers alone.

    Args:
        context: the longest row, in tokens.
        pack: put several examples into a row, each into the first row with room, so that fewer
            tokens are padding. What counts stays the same, but attention sees the examples before
            one in its row.

    Raises:
        LabError: there is no example, or one is longer than the context or cannot be spelled; the
            sentence names it.
    """
    if not examples:
        raise LabError("there is no example to learn from: name a file that holds some.")
    texts = [_spelled(example, tokenizer, context) for example in examples]
    rows = _packed(texts, context + 1) if pack else texts
    width = max(len(row.ids) for row in rows) - 1
    tokens_NT = torch.full((len(rows), width), tokenizer.pad)
    targets_NT = torch.full((len(rows), width), IGNORE)
    for index, row in enumerate(rows):
        length = len(row.ids) - 1
        tokens_NT[index, :length] = torch.tensor(row.ids[:-1])
        targets_NT[index, :length] = torch.tensor(row.targets)
    return Sequences(tokens_NT, targets_NT)


def spelled(data: Data, tokenizer: TextCodec, context: int) -> Data:
    """`data` with the training examples alone that can be spelled and fit; the rest is skipped.

    Raises:
        LabError: none is left.
    """
    good, skipped = [], list(data.skipped)
    for example in data.train:
        try:
            _spelled(example, tokenizer, context)
        except LabError as error:
            skipped.append(Skipped(example.line, str(error).removeprefix(f"{example.where}: ")))
        else:
            good.append(example)
    if not good:
        raise LabError(f"of the examples none can be learned from; first, {skipped[0].reason}")
    skipped.sort(key=lambda bad: bad.line)
    return replace(data, train=tuple(good), skipped=tuple(skipped))


def prompt_tokens(example: Example, tokenizer: TextCodec) -> list[int]:
    """What a model is to continue by the example's last answer; errors as `encode_examples`."""
    parts = _parts(example, tokenizer)
    last = max(index for index, (_, counts) in enumerate(parts) if counts)
    return _joined(parts[:last]).ids


def last_answer(example: Example) -> str:
    """The text of the example's last answer."""
    content = example.content
    return content.response if isinstance(content, Pair) else content.messages[-1].content


Part = tuple[list[int], bool]
"""Tokens, and whether they belong to an answer."""


@dataclass(frozen=True)
class _Text:
    """Tokens, and which of them belong to an answer; the first never does."""

    ids: list[int]
    counts: list[bool]

    @property
    def targets(self) -> list[int]:
        """For each token but the last the next one where that counts."""
        following = zip(self.ids[1:], self.counts[1:], strict=True)
        return [index if counts else IGNORE for index, counts in following]


def _spelled(example: Example, tokenizer: TextCodec, context: int) -> _Text:
    """An example in tokens; LabError where it cannot be spelled or needs more room."""
    text = _joined(_parts(example, tokenizer))
    _require_room(example, text, context)
    return text


def _joined(parts: Iterable[Part]) -> _Text:
    parts = list(parts)
    return _Text(
        ids=[index for ids, _ in parts for index in ids],
        counts=[counts for ids, counts in parts for _ in ids],
    )


def _parts(example: Example, tokenizer: TextCodec) -> list[Part]:
    content = example.content
    try:
        if isinstance(content, Pair):
            return list(_pair(content, tokenizer))
        form = _templated_chat if tokenizer.chat else _plain_chat
        return list(form(content, tokenizer))
    except LabError as error:
        raise LabError(f"{example.where}: {error}") from None


def _pair(pair: Pair, tokenizer: TextCodec) -> Iterator[Part]:
    # an answer follows a token: without a prompt the end of another text
    prompt = [*tokenizer.start, *tokenizer.encode(pair.prompt)]
    yield prompt or [tokenizer.end], False
    yield _answer(pair.response, tokenizer), True


def _plain_chat(chat: Chat, tokenizer: TextCodec) -> Iterator[Part]:
    """Every message on a line that begins with its role."""
    yield [*tokenizer.start], False
    for message in chat.messages:
        if message.role == "assistant":
            yield tokenizer.encode("assistant: "), False
            yield _answer(message.content, tokenizer), True
        else:
            yield tokenizer.encode(f"{message.role}: {message.content}\n"), False


def _answer(text: str, tokenizer: TextCodec) -> list[int]:
    ids = tokenizer.encode(text)
    if tokenizer.end in ids:
        raise LabError(
            f"the answer holds {tokenizer.decode([tokenizer.end])!r}, which ends an answer for "
            "this base: take it out, or make several examples of it."
        )
    return [*ids, tokenizer.end]


def _templated_chat(chat: Chat, tokenizer: TextCodec) -> Iterator[Part]:
    """The tokenizer's own form; an answer counts up to its end token, which is added if lacking."""
    messages = [message.model_dump() for message in chat.messages]
    written = ""
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = _render(tokenizer, messages[:index], answer_follows=True)
        after = _render(tokenizer, messages[: index + 1], answer_follows=False)
        if not (before.startswith(written) and after.startswith(before)):
            raise LabError(
                "the chat template of the tokenizer changes what came before an answer, so that "
                "the answer cannot be told apart: make one example of each answer, or write them "
                "as prompt and response."
            )
        yield tokenizer.encode(before[len(written) :]), False
        yield from _ended(tokenizer.encode(after[len(before) :]), tokenizer.end)
        written = after


def _ended(ids: list[int], end: int) -> Iterator[Part]:
    """An answer up to its first end token, and what the template writes after that."""
    if end not in ids:
        ids = [*ids, end]
    length = ids.index(end) + 1
    yield ids[:length], True
    yield ids[length:], False


def _render(tokenizer: TextCodec, messages: Messages, *, answer_follows: bool) -> str:
    try:
        return tokenizer.chat(messages, answer_follows)
    except Exception as error:  # templates are programs, and raise what they like
        raise LabError(
            f"the chat template of the tokenizer refuses the conversation ({error}): reorder its "
            "messages, or write them as prompt and response."
        ) from error


def _packed(texts: Sequence[_Text], room: int) -> list[_Text]:
    """Texts joined, each in the first row where it fits."""
    shortest = min(len(text.ids) for text in texts)
    rows: list[_Text] = []
    open_rows: list[_Text] = []
    for text in texts:
        row = next((r for r in open_rows if len(r.ids) + len(text.ids) <= room), None)
        if row is None:
            row = _Text([], [])
            rows.append(row)
            open_rows.append(row)
        row.ids.extend(text.ids)
        row.counts.extend(text.counts)
        if len(row.ids) + shortest > room:
            open_rows.remove(row)
    return rows


def _require_room(example: Example, text: _Text, context: int) -> None:
    needed = len(text.ids) - 1
    if needed > context:
        raise LabError(
            f"{example.where}: the example needs {needed} tokens and the context holds {context}: "
            "shorten it, or choose a base with a longer context."
        )


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

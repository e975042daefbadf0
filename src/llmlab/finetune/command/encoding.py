"""Examples as rows of tokens; only answers and their end tokens count in the loss."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from llmlab.finetune.command.examples import (
    Chat,
    Dataset,
    Example,
    Pair,
    SkippedLine,
)
from llmlab.finetune.model.codecs import Messages, TextCodec
from llmlab.finetune.tasks.batches import Sequences
from llmlab.gpt.model import IGNORE
from llmlab.method.errors import LabError


def encode_examples(
    examples: Sequence[Example], tokenizer: TextCodec, context: int, *, pack: bool = False
) -> Sequences:
    """Examples as rows of tokens, padded on the right; only answers count in the loss.

    Args:
        context: the longest row, in tokens.
        pack: put several examples into a row, each into the first row with room, so that there
            is less padding. The same tokens count, but attention also sees the examples before
            one in its row.

    Raises:
        LabError: there is no example, or one is longer than the context or cannot be encoded;
            the message names it.
    """
    if not examples:
        raise LabError("there is no example to train on: name a file that holds some.")
    texts = [_encode(example, tokenizer, context) for example in examples]
    rows = _packed(texts, context + 1) if pack else texts
    width = max(len(row.ids) for row in rows) - 1
    tokens_NT = torch.full((len(rows), width), tokenizer.pad)
    targets_NT = torch.full((len(rows), width), IGNORE)
    for index, row in enumerate(rows):
        length = len(row.ids) - 1
        tokens_NT[index, :length] = torch.tensor(row.ids[:-1])
        targets_NT[index, :length] = torch.tensor(row.targets)
    return Sequences(tokens_NT, targets_NT)


def encodable(data: Dataset, tokenizer: TextCodec, context: int) -> Dataset:
    """`data` without the training examples that cannot be encoded or do not fit the context.

    Raises:
        LabError: none is left.
    """
    good, skipped = [], list(data.skipped)
    for example in data.train:
        try:
            _encode(example, tokenizer, context)
        except LabError as error:
            skipped.append(SkippedLine(example.line, str(error).removeprefix(f"{example.where}: ")))
        else:
            good.append(example)
    if not good:
        raise LabError(f"no example can be used; of the first, {skipped[0].reason}")
    skipped.sort(key=lambda bad: bad.line)
    return replace(data, train=tuple(good), skipped=tuple(skipped))


def prompt_tokens(example: Example, tokenizer: TextCodec) -> list[int]:
    """Everything before the example's last answer; errors as `encode_examples`."""
    parts = _parts_of(example, tokenizer)
    last = max(index for index, (_, counts) in enumerate(parts) if counts)
    return _concatenate(parts[:last]).ids


def last_answer(example: Example) -> str:
    """The text of the example's last answer."""
    content = example.content
    return content.response if isinstance(content, Pair) else content.messages[-1].content


Part = tuple[list[int], bool]
"""Tokens, and whether they belong to an answer."""


@dataclass(frozen=True)
class _EncodedText:
    """Tokens, and whether each belongs to an answer; the first never does."""

    ids: list[int]
    counts: list[bool]

    @property
    def targets(self) -> list[int]:
        """For each token but the last, the next one if it counts, else `IGNORE`."""
        following = zip(self.ids[1:], self.counts[1:], strict=True)
        return [index if counts else IGNORE for index, counts in following]


def _encode(example: Example, tokenizer: TextCodec, context: int) -> _EncodedText:
    """An example in tokens; LabError if it cannot be encoded or does not fit."""
    text = _concatenate(_parts_of(example, tokenizer))
    _require_fit(example, text, context)
    return text


def _concatenate(parts: Iterable[Part]) -> _EncodedText:
    parts = list(parts)
    return _EncodedText(
        ids=[index for ids, _ in parts for index in ids],
        counts=[counts for ids, counts in parts for _ in ids],
    )


def _parts_of(example: Example, tokenizer: TextCodec) -> list[Part]:
    content = example.content
    try:
        if isinstance(content, Pair):
            return list(_pair(content, tokenizer))
        form = _templated_chat if tokenizer.chat else _plain_chat
        return list(form(content, tokenizer))
    except LabError as error:
        raise LabError(f"{example.where}: {error}") from None


def _pair(pair: Pair, tokenizer: TextCodec) -> Iterator[Part]:
    # an answer must follow a token: without a prompt, the end token
    prompt = [*tokenizer.start, *tokenizer.encode(pair.prompt)]
    yield prompt or [tokenizer.end], False
    yield _answer(pair.response, tokenizer), True


def _plain_chat(chat: Chat, tokenizer: TextCodec) -> Iterator[Part]:
    """Each message on a line of its own that begins with its role."""
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
            "this base model: remove it, or make several examples of the answer."
        )
    return [*ids, tokenizer.end]


def _templated_chat(chat: Chat, tokenizer: TextCodec) -> Iterator[Part]:
    """By the tokenizer's own template; an answer counts up to its end token."""
    messages = [message.model_dump() for message in chat.messages]
    written = ""
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = _render(tokenizer, messages[:index], answer_follows=True)
        after = _render(tokenizer, messages[: index + 1], answer_follows=False)
        if not (before.startswith(written) and after.startswith(before)):
            raise LabError(
                "the chat template of the tokenizer rewrites what comes before an answer, so the "
                "answer cannot be located: make one example of each answer, or write them as "
                "prompt and response."
            )
        yield tokenizer.encode(before[len(written) :]), False
        yield from _split_at_end(tokenizer.encode(after[len(before) :]), tokenizer.end)
        written = after


def _split_at_end(ids: list[int], end: int) -> Iterator[Part]:
    """An answer up to its first end token (added if there is none), and the rest."""
    if end not in ids:
        ids = [*ids, end]
    length = ids.index(end) + 1
    yield ids[:length], True
    yield ids[length:], False


def _render(tokenizer: TextCodec, messages: Messages, *, answer_follows: bool) -> str:
    try:
        return tokenizer.chat(messages, answer_follows)
    except Exception as error:  # a template is a program and may raise anything
        raise LabError(
            f"the chat template of the tokenizer refuses the conversation ({error}): reorder its "
            "messages, or write them as prompt and response."
        ) from error


def _packed(texts: Sequence[_EncodedText], room: int) -> list[_EncodedText]:
    """Rows of texts; each text goes into the first row with room."""
    shortest = min(len(text.ids) for text in texts)
    rows: list[_EncodedText] = []
    open_rows: list[_EncodedText] = []
    for text in texts:
        row = next((r for r in open_rows if len(r.ids) + len(text.ids) <= room), None)
        if row is None:
            row = _EncodedText([], [])
            rows.append(row)
            open_rows.append(row)
        row.ids.extend(text.ids)
        row.counts.extend(text.counts)
        if len(row.ids) + shortest > room:
            open_rows.remove(row)
    return rows


def _require_fit(example: Example, text: _EncodedText, context: int) -> None:
    needed = len(text.ids) - 1
    if needed > context:
        raise LabError(
            f"{example.where}: the example needs {needed} tokens and the context holds {context}: "
            "shorten it, or choose a base model with a longer context."
        )

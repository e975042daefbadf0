"""Conversations in the form of a tokenizer's own chat template.

A conversation is written and encoded whole, as `apply_chat_template` does it. Where the template
marks what the assistant says ({% generation %}), that counts; elsewhere each answer is found by
writing the conversation once more with another text in its place.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from llmlab.finetune.tasks.texts import Span, TokenizedText, mark_answers
from llmlab.method.documents import in_one_line
from llmlab.method.errors import LabError

if TYPE_CHECKING:
    from llmlab.finetune.model.codecs import HubCodec

Message = Mapping[str, object]
"""A message, as templates read it: a role, a content, and what belongs to tools."""
MARKER = re.compile(r"\{%-?\s*generation\s*-?%\}")
PLACEHOLDER = "PLACEHOLDER"


@dataclass(frozen=True)
class Conversation:
    """Messages, and the tools that the assistant may call, as JSON Schema describes them."""

    messages: tuple[Message, ...]
    tools: tuple[Message, ...] = ()

    def until(self, stop: int) -> "Conversation":
        """The conversation before the message at `stop`."""
        return replace(self, messages=self.messages[:stop])

    def changed(self, position: int, **changes: object) -> "Conversation":
        """The conversation with other values in one message; None removes a key."""
        message = {**self.messages[position], **changes}
        kept = {key: value for key, value in message.items() if value is not None}
        before, after = self.messages[:position], self.messages[position + 1 :]
        return replace(self, messages=(*before, kept, *after))


@dataclass(frozen=True)
class Written:
    """A conversation as text and in tokens; `spans` are the characters that each token spells."""

    text: str
    ids: Sequence[int]
    spans: Sequence[Span]

    def tokens(self, start: int, stop: int) -> Iterator[tuple[int, Span]]:
        """The tokens that lie within that part of the text, with their characters."""
        for index, (first, last) in zip(self.ids, self.spans, strict=True):
            if start <= first and last <= stop:
                yield index, (first, last)


@dataclass(frozen=True)
class ChatTemplate:
    """The chat template of a tokenizer."""

    codec: "HubCodec"

    def encode(self, conversation: Conversation, learned: Sequence[int]) -> TokenizedText:
        """The tokens of a conversation, the same as those of `apply_chat_template`.

        An answer counts up to the special token that ends it, with the calls that it makes. Only a
        last answer that nothing ends gets one more token, that of the tokenizer.

        Args:
            learned: positions of the messages that count.

        Raises:
            LabError: the template refuses the conversation, passes over what concerns tools, or
                hides where an answer lies.
        """
        text = self.write(conversation)
        self._require_written(conversation, text)
        written = Written(text, *self.codec.tokens(text))
        if MARKER.search(self._template(conversation)):
            marked = self._marked(conversation, learned)
            return mark_answers(written.ids, written.spans, marked)
        *answers, last = [self._located(conversation, place, written) for place in learned]
        found = mark_answers(written.ids, written.spans, [*answers, last])
        if text[last[1] :].strip() or _last_counted(found) in self._special:
            return found
        # whatever the template writes after it stands between the answer and its end
        found = mark_answers(written.ids, written.spans, [*answers, (last[0], len(text))])
        return TokenizedText([*found.ids, self.codec.end], [*found.counts, True])

    def write(self, conversation: Conversation, *, answer_follows: bool = False) -> str:
        """The text of a conversation, or of one that the assistant is to answer."""
        try:
            return self.codec.tokenizer.apply_chat_template(
                list(map(dict, conversation.messages)),
                tools=list(map(dict, conversation.tools)) or None,
                tokenize=False,
                add_generation_prompt=answer_follows,
            )
        except Exception as error:  # a template is a program and may raise anything
            raise LabError(
                "the chat template of the tokenizer refuses the conversation "
                f"({in_one_line(error)}): reorder its messages, or write them as prompt and "
                "response."
            ) from error

    @cached_property
    def end_of_turn(self) -> int | None:
        """The special token that ends an answer; None if the template has none."""
        probe = ({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"})
        try:
            found = self.encode(Conversation(probe), [1])
        except LabError:
            return None
        last = _last_counted(found)
        return last if last in self._special else None

    @cached_property
    def _special(self) -> frozenset[int]:
        tokenizer = self.codec.tokenizer
        added = tokenizer.added_tokens_decoder.items()
        return frozenset(tokenizer.all_special_ids) | {i for i, token in added if token.special}

    def _template(self, conversation: Conversation) -> str:
        """The template itself; a tokenizer may have another one for conversations with tools."""
        tools = list(map(dict, conversation.tools)) or None
        return self.codec.tokenizer.get_chat_template(tools=tools)

    def _require_written(self, conversation: Conversation, text: str) -> None:
        """Check that the template writes all that concerns tools.

        What it passes over makes no difference to the text.
        """
        other = _placeholder(text)
        without: list[tuple[str, Conversation]] = []
        if conversation.tools:
            without.append(("the tools", replace(conversation, tools=())))
        for position, message in enumerate(conversation.messages):
            if message.get("tool_calls"):
                without.append(("calls of tools", conversation.changed(position, tool_calls=None)))
            if message["role"] == "tool":
                without.append(("what tools answer", conversation.changed(position, content=other)))
        for what, changed in without:
            if self._writes_as(changed, text):
                raise LabError(
                    f"the chat template of the tokenizer does not write {what}: choose a base "
                    "model whose template does, or write the example as prompt and response."
                )

    def _writes_as(self, conversation: Conversation, text: str) -> bool:
        try:
            return self.write(conversation) == text
        except LabError:  # a template that refuses a change has read what was changed
            return False

    def _marked(self, conversation: Conversation, learned: Sequence[int]) -> list[Span]:
        """What the template marks of the answers that count."""
        from transformers.utils.chat_template_utils import render_jinja_template

        _, (marked,) = render_jinja_template(
            [list(map(dict, conversation.messages))],
            tools=list(map(dict, conversation.tools)) or None,
            chat_template=self._template(conversation),
            return_assistant_tokens_mask=True,
            **self.codec.tokenizer.special_tokens_map,
        )
        messages = enumerate(conversation.messages)
        said = [i for i, message in messages if message["role"] == "assistant"]
        if len(marked) != len(said):
            raise LabError(
                f"the chat template of the tokenizer marks {len(marked)} answers where the "
                f"conversation has {len(said)}: make one example of each answer, or write them as "
                "prompt and response."
            )
        return [span for i, span in zip(said, marked, strict=True) if i in learned]

    def _located(self, conversation: Conversation, position: int, written: Written) -> Span:
        """Where in the text the answer lies that is the message at `position`, with its end."""
        for find in (self._by_placeholder, self._by_prompts):
            with suppress(LabError):  # a template may refuse the conversation when it is changed
                if span := find(conversation, position, written):
                    return span
        raise LabError(
            "the chat template of the tokenizer rewrites what comes before an answer, so the "
            "answer cannot be located: make one example of each answer, or write them as "
            "prompt and response."
        )

    def _by_placeholder(
        self, conversation: Conversation, position: int, written: Written
    ) -> Span | None:
        """The answer as what differs where another text is said; None if that does not show it.

        It begins where the prompt ends that asks for it. A template may write the answers before
        the last in another form than a last one; what counts is what it writes here.
        """
        text = written.text
        placeholder = _placeholder(text)
        other = conversation.changed(position, content=placeholder, tool_calls=None)
        before, found, after = self.write(other).partition(placeholder)
        prompt = self.write(conversation.until(position), answer_follows=True)
        start = len(prompt) if text.startswith(prompt) else len(before)
        stop = len(text) - len(after)
        is_found = found and text.endswith(after) and start < stop
        if not is_found or (start == len(before) and not text.startswith(before)):
            return None
        for index, (first, last) in written.tokens(stop, len(text)):
            if index in self._special:
                return start, stop if text[stop:first].strip() else last
        return start, stop

    def _by_prompts(
        self, conversation: Conversation, position: int, written: Written
    ) -> Span | None:
        """The answer as what its prompt lacks of the text up to it; None if no such text begins it.

        It ends with its last special token, or else with its last character that is no space.
        """
        prompt = self.write(conversation.until(position), answer_follows=True)
        whole = self.write(conversation.until(position + 1))
        if not (written.text.startswith(whole) and whole.startswith(prompt)):
            return None
        start, stop = len(prompt), len(whole.rstrip())
        for index, (_, last) in written.tokens(start, len(whole)):
            if index in self._special and not whole[last:].strip():
                return start, last
        return (start, stop) if start < stop else None


def is_conversation(text: str, template: ChatTemplate) -> bool:
    """Whether a text begins as the template begins a conversation."""
    placeholder = _placeholder(text)
    for role in ("user", "system"):
        with suppress(LabError):  # not every template has a system message
            probe = Conversation(({"role": role, "content": placeholder},))
            opening, found, _ = template.write(probe).partition(placeholder)
            if found and opening and text.startswith(opening):
                return True
    return False


def _last_counted(text: TokenizedText) -> int | None:
    counted = [index for index, counts in zip(text.ids, text.counts, strict=True) if counts]
    return counted[-1] if counted else None


def _placeholder(text: str) -> str:
    """A word that the text does not hold."""
    words = (f"{PLACEHOLDER}{number}" for number in itertools.count())
    return next(word for word in words if word not in text)

"""Conversations in the form of a tokenizer's own chat template.

A conversation is written and encoded whole, as `apply_chat_template` does it. Where the template
marks what the assistant says ({% generation %}), that counts; elsewhere each answer is found by
writing the conversation once more with another text in its place.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from llmlab.finetune.tasks.texts import Span, TokenizedText, mark_answers
from llmlab.method.documents import in_one_line
from llmlab.method.errors import LabError

if TYPE_CHECKING:
    from llmlab.finetune.model.codecs import HubCodec

Messages = Sequence[Mapping[str, str]]
"""A conversation: each message has a role and a content."""
MARKER = re.compile(r"\{%-?\s*generation\s*-?%\}")
PLACEHOLDER = "PLACEHOLDER"


@dataclass(frozen=True)
class ChatTemplate:
    """The chat template of a tokenizer."""

    codec: "HubCodec"

    def encode(self, messages: Messages, learned: Sequence[int]) -> TokenizedText:
        """The tokens of a conversation, the same as those of `apply_chat_template`.

        An answer counts up to the special token that ends it. Only a last answer that nothing ends
        gets one more token, that of the tokenizer.

        Args:
            learned: positions of the messages that count.

        Raises:
            LabError: the template refuses the conversation, or hides where an answer lies.
        """
        text = self.write(messages)
        ids, spans = self.codec.tokens(text)
        if self._marks_answers:
            return mark_answers(ids, spans, self._marked(messages, learned))
        answers = []
        for position in learned:
            start, stop = self._located(messages, position, text)
            answers.append((start, self._end(text, stop, ids, spans)))
        found = mark_answers(ids, spans, answers)
        is_last = not text[answers[-1][1] :].strip()
        if is_last and _last_counted(found) not in self._special:
            return TokenizedText([*found.ids, self.codec.end], [*found.counts, True])
        return found

    def write(self, messages: Messages, *, answer_follows: bool = False) -> str:
        """The text of a conversation, or of one that the assistant is to answer."""
        try:
            return self.codec.tokenizer.apply_chat_template(
                list(map(dict, messages)), tokenize=False, add_generation_prompt=answer_follows
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
        probe = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
        try:
            found = self.encode(probe, [1])
        except LabError:
            return None
        last = _last_counted(found)
        return last if last in self._special else None

    @cached_property
    def _special(self) -> frozenset[int]:
        tokenizer = self.codec.tokenizer
        added = tokenizer.added_tokens_decoder.items()
        return frozenset(tokenizer.all_special_ids) | {i for i, token in added if token.special}

    @property
    def _marks_answers(self) -> bool:
        return MARKER.search(self.codec.tokenizer.get_chat_template()) is not None

    def _marked(self, messages: Messages, learned: Sequence[int]) -> list[Span]:
        """What the template marks of the answers that count."""
        from transformers.utils.chat_template_utils import render_jinja_template

        tokenizer = self.codec.tokenizer
        _, (marked,) = render_jinja_template(
            [list(map(dict, messages))],
            chat_template=tokenizer.get_chat_template(),
            return_assistant_tokens_mask=True,
            **tokenizer.special_tokens_map,
        )
        said = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
        if len(marked) != len(said):
            raise LabError(
                f"the chat template of the tokenizer marks {len(marked)} answers where the "
                f"conversation has {len(said)}: make one example of each answer, or write them as "
                "prompt and response."
            )
        return [span for i, span in zip(said, marked, strict=True) if i in learned]

    def _located(self, messages: Messages, position: int, text: str) -> Span:
        """Where in `text` the answer lies that is the message at `position`.

        It begins where the prompt ends that asks for it. A template may write the answers before
        the last in another form than a last one; what counts is what it writes here.
        """
        placeholder = _placeholder(text)
        other = [*messages]
        other[position] = {**messages[position], "content": placeholder}
        before, found, after = self.write(other).partition(placeholder)
        prompt = self.write(messages[:position], answer_follows=True)
        start = len(prompt) if text.startswith(prompt) else len(before)
        stop = len(text) - len(after)
        is_found = found and text.endswith(after) and start < stop
        if not is_found or (start == len(before) and not text.startswith(before)):
            raise LabError(
                "the chat template of the tokenizer rewrites what comes before an answer, so the "
                "answer cannot be located: make one example of each answer, or write them as "
                "prompt and response."
            )
        return start, stop

    def _end(self, text: str, stop: int, ids: Sequence[int], spans: Sequence[Span]) -> int:
        """Where an answer is over whose text ends at `stop`: after the special token that ends it.

        At `stop` itself if other text comes before such a token.
        """
        for index, (first, last) in zip(ids, spans, strict=True):
            if first >= stop and index in self._special:
                return stop if text[stop:first].strip() else last
        return stop


def _last_counted(text: TokenizedText) -> int | None:
    counted = [index for index, counts in zip(text.ids, text.counts, strict=True) if counts]
    return counted[-1] if counted else None


def _placeholder(text: str) -> str:
    """A word that the text does not hold."""
    words = (f"{PLACEHOLDER}{number}" for number in itertools.count())
    return next(word for word in words if word not in text)

"""Text to token ids and back, the same way for the tokenizer of any base model."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

from llmlab.finetune.tasks.skills import END, TOKENIZER
from llmlab.finetune.tasks.texts import (
    Span,
    TokenizedText,
    Turn,
    encode_characters,
    mark_answers,
    write_turns,
)
from llmlab.gpt.text.text_tokenizers import END_OF_TEXT, TextTokenizer
from llmlab.method.errors import LabError

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedTokenizerBase

    from llmlab.finetune.model.chat_templates import ChatTemplate

INCOMPLETE = "\ufffd"
"""What decoding writes for the bytes of a character whose other bytes are still to come."""


class TextCodec(Protocol):
    """Text to token ids and back.

    Attributes:
        end: id of the token that ends an answer; None if there is none, so that nothing can be
            trained.
        end_text: that token as text.
        stops: ids at which generation ends, `end` among them.
        pad: id that fills a row.
        chat: the tokenizer's own form of a conversation; None if it has none.
    """

    end: int | None
    end_text: str
    stops: frozenset[int]
    pad: int
    chat: "ChatTemplate | None"

    def encode(self, turns: Sequence[Turn]) -> TokenizedText:
        """The tokens of a whole text; LabError if it cannot be encoded."""

    def encode_prompt(self, text: str) -> list[int]:
        """The tokens of a text to be continued; LabError if it cannot be encoded."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`."""


@dataclass(frozen=True)
class SkillCodec:
    """Characters of the book's own base model; an answer ends with its line."""

    end: int = TOKENIZER.encode(END)[0]
    end_text: str = END
    stops: frozenset[int] = frozenset(TOKENIZER.encode(END))
    pad: int = TOKENIZER.PAD
    chat: None = None

    def encode(self, turns: Sequence[Turn]) -> TokenizedText:
        _require_one_end(turns, END)
        try:
            return encode_characters(turns, END)
        except ValueError as error:
            raise _unknown_character(error) from None

    def encode_prompt(self, text: str) -> list[int]:
        try:
            return TOKENIZER.encode(text)
        except ValueError as error:
            raise _unknown_character(error) from None

    def decode(self, ids: Sequence[int]) -> str:
        return TOKENIZER.decode(list(ids))


@dataclass(frozen=True)
class RunCodec:
    """The tokenizer of a run of `llmlab train`; an answer ends as a document does.

    No text makes the token that ends a document, so the turns are encoded one by one around it.
    """

    tokenizer: TextTokenizer
    end_text: str = END_OF_TEXT
    chat: None = None

    @property
    def end(self) -> int:
        return self.tokenizer.end_of_text

    @property
    def stops(self) -> frozenset[int]:
        return frozenset([self.end])

    @property
    def pad(self) -> int:
        return self.tokenizer.end_of_text

    def encode(self, turns: Sequence[Turn]) -> TokenizedText:
        ids: list[int] = []
        spans: list[Span] = []
        written = 0
        for turn in turns:
            text = turn.prompt + turn.answer
            encoding = self.tokenizer.core.encode(text, add_special_tokens=False)
            ids += [*encoding.ids, self.end]
            spans += [(written + start, written + stop) for start, stop in encoding.offsets]
            written += len(text) + len(self.end_text)
            spans.append((written - len(self.end_text), written))
        _, answers = write_turns(turns, self.end_text)
        return mark_answers(ids, spans, answers)

    def encode_prompt(self, text: str) -> list[int]:
        return self.tokenizer.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(ids)


@dataclass(frozen=True)
class HubCodec:
    """A tokenizer of `transformers`; special tokens in a text are read as such.

    Attributes:
        stops_of_model: ids at which generation ends, as the model's files have them.
    """

    tokenizer: "PreTrainedTokenizerBase"
    stops_of_model: frozenset[int] = frozenset()

    @property
    def end(self) -> int | None:
        return self.tokenizer.eos_token_id

    @property
    def end_text(self) -> str:
        return self.tokenizer.eos_token

    @cached_property
    def stops(self) -> frozenset[int]:
        ends_of_turns = {self.chat.end_of_turn} if self.chat else set()
        return frozenset({self.end, *self.stops_of_model, *ends_of_turns} - {None})

    @property
    def pad(self) -> int:
        pad = self.tokenizer.pad_token_id
        return self.end if pad is None else pad

    @cached_property
    def chat(self) -> "ChatTemplate | None":
        from llmlab.finetune.model.chat_templates import ChatTemplate

        return ChatTemplate(self) if self.tokenizer.chat_template else None

    def encode(self, turns: Sequence[Turn]) -> TokenizedText:
        _require_one_end(turns, self.end_text)
        text, answers = write_turns(turns, self.end_text)
        ids, spans = self._begun(text)
        return mark_answers(ids, spans, answers)

    def encode_prompt(self, text: str) -> list[int]:
        return self._begun(text)[0]

    def decode(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(list(ids), clean_up_tokenization_spaces=False)

    def tokens(self, text: str, *, begin: bool = False) -> tuple[list[int], list[Span]]:
        """The tokens of `text`, and the characters that each of them spells.

        Args:
            begin: add the tokens that the tokenizer puts around a text; they spell nothing.
        """
        if self.tokenizer.is_fast:
            encoding = self._encoding(text, begin, return_offsets_mapping=True)
            ids = encoding["input_ids"]
            spans = zip(ids, encoding["offset_mapping"], strict=True)
            return ids, [self._own_characters(index, span, text) for index, span in spans]
        ids = self._encoding(text, begin)["input_ids"]
        spelling = self._encoding(text, begin=False)["input_ids"]
        return ids, searched_spans(self.decode, text, ids, spelling)

    def _own_characters(self, index: int, span: Span, text: str) -> Span:
        """The characters of a token, without spaces around that a special one takes with it."""
        if index not in self._greedy:
            return span
        taken = text[slice(*span)]
        start = span[0] + len(taken) - len(taken.lstrip())
        return start, start + len(taken.strip())

    @cached_property
    def _greedy(self) -> frozenset[int]:
        """Tokens that take spaces before or after them."""
        added = self.tokenizer.added_tokens_decoder.items()
        return frozenset(index for index, token in added if token.lstrip or token.rstrip)

    def _encoding(self, text: str, begin: bool, **wishes: bool) -> "BatchEncoding":
        return self.tokenizer(text, add_special_tokens=begin, verbose=False, **wishes)

    def _begun(self, text: str) -> tuple[list[int], list[Span]]:
        """The tokens of a text as the tokenizer begins it, but not ended: the text does that."""
        ids, spans = self.tokens(text, begin=True)
        while ids and _is_empty(spans[-1]):
            ids, spans = ids[:-1], spans[:-1]
        if len(ids) > 1 and ids[0] == ids[1] == self.tokenizer.bos_token_id:
            ids, spans = ids[1:], spans[1:]  # the text names the token that begins it
        return ids, spans


def decode_stream(
    decode: Callable[[Sequence[int]], str], before: Sequence[int], tokens: Iterable[int]
) -> Iterator[str]:
    """The text that each token adds; "" while a character is incomplete.

    Tokens are decoded after those before them, since a tokenizer may drop a space at the start of
    what it decodes. After the last token comes what is left of an incomplete character.

    Args:
        before: what the tokens follow; its text is not given out.
    """
    window, known = list(before), len(before)
    shown, text = decode(window) if window else "", ""
    for token in tokens:
        window.append(token)
        text = decode(window)
        if text.endswith(INCOMPLETE) or len(text) <= len(shown):
            yield ""
            continue
        yield text[len(shown) :]
        window = window[known:]
        known = len(window)
        shown = text = decode(window)
    yield text[len(shown) :]


def searched_spans(
    decode: Callable[[Sequence[int]], str], text: str, ids: Sequence[int], spelling: Sequence[int]
) -> list[Span]:
    """The characters that each token spells, found by decoding.

    Args:
        spelling: those of `ids` that spell the text; others may stand before and after them.

    Raises:
        LabError: the tokens do not spell the text, so that no answer can be found in them.
    """
    n_more = len(ids) - len(spelling)
    starts = (n for n in range(n_more + 1) if [*ids[n : n + len(spelling)]] == [*spelling])
    n_before = next(starts, None)
    *pieces, rest = decode_stream(decode, (), spelling)
    if n_before is None or "".join(pieces) + rest != text:
        raise LabError(
            "the tokenizer changes the text and does not say which token spells what of it: choose "
            "a base model with a tokenizer.json."
        )
    stops = [*accumulate(map(len, pieces))]
    spans = [(stop - len(piece), stop) for piece, stop in zip(pieces, stops, strict=True)]
    for index in reversed(range(len(spans) - 1)):
        if _is_empty(spans[index]):  # the first bytes of a character that the next token completes
            spans[index] = spans[index + 1]
    return [(0, 0)] * n_before + spans + [(len(text), len(text))] * (n_more - n_before)


def _is_empty(span: Span) -> bool:
    return span[0] == span[1]


def _require_one_end(turns: Sequence[Turn], end: str) -> None:
    """Check that no answer holds the text that ends it."""
    if any(end in turn.answer for turn in turns):
        raise LabError(
            f"the answer holds {end!r}, which ends an answer for this base model: remove it, or "
            "make several examples of the answer."
        )


def _unknown_character(error: ValueError) -> LabError:
    return LabError(
        f"{str(error).partition(':')[0]}, which knows {TOKENIZER.alphabet.strip()!r}, spaces and "
        "line ends: clean the text, or choose another base."
    )

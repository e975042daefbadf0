"""Text to token ids and back, the same way for the tokenizer of any base."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from llmlab.finetune.tasks.skills import END, TOKENIZER
from llmlab.gpt.text_tokenizers import TextTokenizer
from llmlab.method.errors import LabError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Messages = Sequence[Mapping[str, str]]
"""A conversation: each message has a role and a content."""


class TextCodec(Protocol):
    """Text to token ids and back.

    Attributes:
        end: id of the token that ends an answer.
        pad: id that fills a row.
        start: ids that every example begins with.
        chat: writes a conversation in the tokenizer's own form, with or without the beginning of
            an answer that is to come; None where the tokenizer has no such form.
    """

    end: int
    pad: int
    start: tuple[int, ...]
    chat: Callable[[Messages, bool], str] | None

    def encode(self, text: str) -> list[int]:
        """The ids of `text` alone; LabError where it cannot be spelled."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`."""


@dataclass(frozen=True)
class SkillCodec:
    """Characters of the book's own base model; an answer ends with its line."""

    end: int = TOKENIZER.encode(END)[0]
    pad: int = TOKENIZER.PAD
    start: tuple[int, ...] = ()
    chat: None = None

    def encode(self, text: str) -> list[int]:
        try:
            return TOKENIZER.encode(text)
        except ValueError as error:
            raise LabError(
                f"{str(error).partition(':')[0]}, which knows {TOKENIZER.alphabet.strip()!r}, "
                "spaces and line ends: clean the text, or choose another base."
            ) from None

    def decode(self, ids: Sequence[int]) -> str:
        return TOKENIZER.decode(list(ids))


@dataclass(frozen=True)
class RunCodec:
    """The tokenizer of a run of `llmlab train`; an answer ends as a document does."""

    tokenizer: TextTokenizer
    start: tuple[int, ...] = ()
    chat: None = None

    @property
    def end(self) -> int:
        return self.tokenizer.end_of_text

    @property
    def pad(self) -> int:
        return self.tokenizer.end_of_text

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(ids)


@dataclass(frozen=True)
class HubCodec:
    """A tokenizer of `transformers`; what the text has of its special tokens becomes these."""

    tokenizer: "PreTrainedTokenizerBase"

    @property
    def end(self) -> int:
        return self.tokenizer.eos_token_id

    @property
    def pad(self) -> int:
        pad = self.tokenizer.pad_token_id
        return self.end if pad is None else pad

    @property
    def start(self) -> tuple[int, ...]:
        begin = self.tokenizer.bos_token_id
        return tuple(index for index in self.tokenizer("")["input_ids"] if index == begin)

    @property
    def chat(self) -> Callable[[Messages, bool], str] | None:
        return self._chat if self.tokenizer.chat_template else None

    def encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]

    def decode(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(list(ids))

    def _chat(self, messages: Messages, answer_follows: bool) -> str:
        return self.tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            tokenize=False,
            add_generation_prompt=answer_follows,
        )

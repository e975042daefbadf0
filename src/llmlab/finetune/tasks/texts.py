"""Texts whose answers are marked, in characters and then in tokens.

A text is always encoded whole: tokenizers merge characters across the border between a prompt and
its answer, and some put a mark before every piece that they are given. Which tokens belong to an
answer follows from the characters that each token spells.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from llmlab.finetune.tasks.skills import TOKENIZER
from llmlab.gpt.model import IGNORE

Span = tuple[int, int]
"""Where characters begin and end in a text."""


@dataclass(frozen=True)
class Turn:
    """A part of a text that ends with an answer.

    Attributes:
        prompt: the text before the answer.
        counts: whether the answer is to be learned.
    """

    prompt: str
    answer: str
    counts: bool = True


@dataclass(frozen=True)
class TokenizedText:
    """The tokens of a text, and whether each belongs to an answer."""

    ids: list[int]
    counts: list[bool]

    @property
    def targets(self) -> list[int]:
        """For each token but the last, the next one if it counts, else `IGNORE`."""
        following = zip(self.ids[1:], self.counts[1:], strict=True)
        return [index if counts else IGNORE for index, counts in following]


def write_turns(turns: Sequence[Turn], end: str) -> tuple[str, list[Span]]:
    """The text of the turns, each followed by `end`, and where the answers lie that count.

    The end is part of the answer: that an answer is over has to be learned, too.
    """
    text, answers = "", []
    for turn in turns:
        start = len(text) + len(turn.prompt)
        text += turn.prompt + turn.answer + end
        if turn.counts:
            answers.append((start, len(text)))
    return text, answers


def mark_answers(
    ids: Sequence[int], spans: Sequence[Span], answers: Sequence[Span]
) -> TokenizedText:
    """The tokens of a text; those that spell any character of an answer count.

    Args:
        spans: the characters that each token spells; none for a token that the text does not hold.
        answers: where the answers lie in the text.
    """
    counts = [
        any(start < last and stop > first for first, last in answers) for start, stop in spans
    ]
    return TokenizedText(list(ids), counts)


def encode_characters(turns: Sequence[Turn], end: str) -> TokenizedText:
    """Turns in the characters of the book's own base model.

    Raises:
        ValueError: a character is not in its alphabet.
    """
    text, answers = write_turns(turns, end)
    spans = [(index, index + 1) for index in range(len(text))]
    return mark_answers(TOKENIZER.encode(text), spans, answers)

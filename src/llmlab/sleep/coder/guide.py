"""What may come next in an answer, so that every answer is an edit of its program.

Tokens that no edit goes on with are not drawn (constrained decoding; Willard and Louf 2023,
2307.09702, section 3): a number is that of a line, and a span is one that this line has.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from llmlab.sleep.coder.names import places
from llmlab.sleep.coder.tokens import (
    END,
    MOST_LINES,
    SPECIAL,
    TO,
    UNKNOWN,
    CodeTokens,
    line_token,
    placed,
)


@dataclass(frozen=True)
class Guide:
    """What edits of one program look like.

    Attributes:
        lines: the ids of each line's tokens, by the id of its number.
    """

    tokens: CodeTokens
    lines: Mapping[int, Sequence[int]]

    @classmethod
    def to(cls, code: str, tokens: CodeTokens) -> "Guide":
        """The guide to edits of `code`, as far as there are numbers for its lines."""
        where, lines = places(code), code.rstrip("\n").split("\n")[:MOST_LINES]
        return cls(
            tokens,
            {
                tokens.ids[line_token(number)]: tokens.encode(placed(line, where))
                for number, line in enumerate(lines, 1)
            },
        )

    def allowed(self, answer: Sequence[int]) -> Tensor:
        """Which ids may follow those of an answer, shape [V]."""
        numbers = [at for at, each in enumerate(answer) if each in self.lines]
        if not numbers:
            return self._only(self.lines)
        line, edit = self.lines[answer[numbers[-1]]], answer[numbers[-1] + 1 :]
        to = self.tokens.ids[TO]
        if to in edit:
            return self._after_to_V
        return self._only({to, *_following(edit, line)} - {self.tokens.ids[UNKNOWN]})

    @cached_property
    def _after_to_V(self) -> Tensor:
        """Anything that code has, the next number, or the end."""
        numbers = {self.tokens.ids[line_token(number)] for number in range(MOST_LINES + 1)}
        special = {self.tokens.ids[name] for name in SPECIAL if name != END}
        return ~self._only(special | numbers - {*self.lines})

    def _only(self, chosen: Iterable[int]) -> Tensor:
        is_chosen_V = torch.zeros(len(self.tokens.names), dtype=torch.bool)
        is_chosen_V[[*chosen]] = True
        return is_chosen_V


def _following(span: Sequence[int], line: Sequence[int]) -> set[int]:
    """What stands in a line after each occurrence of a span; after an empty one, anything."""
    width = len(span)
    return {
        line[at + width] for at in range(len(line) - width) if [*line[at : at + width]] == [*span]
    }

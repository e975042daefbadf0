"""Tokens of code for a small model: names, operators, line numbers, kinds of errors.

A name is one token, that of its place, wherever it stands, so copying it is copying one token. A
space between two words is implied; one beside an operator belongs to the operator.
"""

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise

from llmlab.sleep.coder.names import KIND_OF, KINDS, PLACES, Places, place, places
from llmlab.sleep.coder.spans import shortest_span, with_span
from llmlab.sleep.koans.generated import GRAMMARS
from llmlab.sleep.koans.grammar import Grammar, draft, templates, words
from llmlab.sleep.koans.koan import Language
from llmlab.sleep.koans.verdict import Verdict
from llmlab.sleep.repair.task import Task

PIECE = re.compile(
    r"[A-Za-z_]+|\d| ?(?:\*\*|//|==|!=|<=|>=|\+=|-=|->|=>|::|[^\w\s]) ?|(?: {4})+|\s"
)
SPECIAL = PAD, END, UNKNOWN, FIX, TO = "<pad>", "<end>", "<?>", "<fix>", "<to>"
"""What every coder says beside code; `TO` stands between a span and what takes its place."""
ERRORS = (
    "NameError TypeError ValueError IndexError KeyError AttributeError UnboundLocalError "
    "ZeroDivisionError RuntimeError SyntaxError IndentationError RecursionError wrong panic limit "
    "exit"
)
MOST_LINES = 40
DRAWS = 4
"""Programs of each template that are searched for its tokens."""


def pieces(text: str) -> list[str]:
    """The tokens of one line of code; `joined` restores the line."""
    found = PIECE.findall(text)
    spoken = [
        piece != " " or not (_is_word(before) and _is_word(after))
        for before, piece, after in zip(["", *found], found, [*found[1:], ""], strict=False)
    ]
    return [piece for piece, is_spoken in zip(found, spoken, strict=True) if is_spoken]


def joined(tokens: Sequence[str]) -> str:
    spaces = (" " if _is_word(a) and _is_word(b) else "" for a, b in pairwise([*tokens, ""]))
    return "".join(chain.from_iterable(zip(tokens, spaces, strict=True)))


def _is_word(token: str) -> bool:
    return token[:1].isalpha() or token[:1] == "_"


def line_token(number: int) -> str:
    return f"@{number}"


def error_token(error: str) -> str:
    return f"!{error}"


def family_token(family: str) -> str:
    return f"#{family}"


@dataclass(frozen=True)
class CodeTokens:
    """A vocabulary: ids are places in `names`."""

    names: tuple[str, ...]

    @cached_property
    def ids(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.names)}

    @property
    def pad(self) -> int:
        return self.ids[PAD]

    @property
    def end(self) -> int:
        return self.ids[END]

    def encode(self, names: Iterable[str]) -> list[int]:
        """Ids; what is not in the vocabulary becomes `UNKNOWN`."""
        unknown = self.ids[UNKNOWN]
        return [self.ids.get(name, unknown) for name in names]

    def prompt(self, task: Task) -> list[int]:
        """Examples with their edits, if any are shown, and the question."""
        shown = [
            self._question(each.code, each.verdict) + self.answer(each.edit, each.code)
            for each in task.examples
        ]
        return [*chain(*shown), *self._question(task.code, task.verdict, task.family)]

    def _question(self, code: str, verdict: Verdict, family: str = "") -> list[int]:
        """Numbered lines, the error with its line and facts, the family if told, and `FIX`."""
        where = places(code)
        return self.encode(
            [
                *numbered_tokens(code.rstrip("\n").split("\n"), where),
                error_token(verdict.error),
                line_token(verdict.line),
                *(name for name in placed(facts(verdict.message), where) if name in self.ids),
                family_token(family),
                FIX,
            ]
        )

    def answer(self, edit: str, code: str) -> list[int]:
        """An edit of `code`, as `Edit.text` gives it, with the end.

        For each of its lines the number, the span to replace, `TO`, and what takes its place.
        """
        where, lines = places(code + edit), code.split("\n")
        tokens = []
        for line in edit.split("\n"):
            number, _, text = line.partition("|")
            old = placed(lines[int(number) - 1], where)
            span, new = shortest_span([*old], [*placed(text, where)])
            tokens += [line_token(int(number)), *span, TO, *new]
        return self.encode([*tokens, END])

    def text(self, ids: Sequence[int], code: str) -> str:
        """The edit of `code` that an answer's ids spell; empty where they spell none."""
        where, lines = places(code), code.split("\n")
        edited = []
        for number, *tokens in _by_line(self.names[index] for index in ids):
            if TO not in tokens or not 1 <= int(number) <= len(lines):
                return ""
            at = tokens.index(TO)
            line = with_span(
                [*placed(lines[int(number) - 1], where)], tokens[:at], tokens[at + 1 :]
            )
            if line is None:
                return ""
            edited.append(f"{number}|{joined([where.name(token) for token in line])}")
        return "\n".join(edited)


def facts(message: str) -> str:
    """A message without its prose: what is quoted, called or a number.

    >>> facts("draw(5) is 12, not 8")
    'draw(5) 12, 8'
    """
    return re.sub(r"(?<!['\"`\w])[A-Za-z_]+(?!['\"`\w(]) ?", "", message)


def _by_line(tokens: Iterable[str]) -> list[list[str]]:
    """Tokens from one line number to the next, the number first; none if there is no number."""
    parts: list[list[str]] = []
    for token in tokens:
        if re.fullmatch(r"@\d+", token):
            parts.append([token[1:]])
        elif parts:
            parts[-1].append(token)
        else:
            return []
    return parts


def numbered_tokens(lines: Sequence[str], where: Places) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        yield line_token(number)
        yield from placed(line, where)


def placed(line: str, where: Places) -> Iterator[str]:
    """The pieces of a line, names by their place."""
    return (where.of_name.get(piece, piece) for piece in pieces(line))


def code_tokens(language: Language) -> CodeTokens:
    """The vocabulary of the programs that the grammar of a language gives."""
    grammar = GRAMMARS[language]
    fixed = [
        *SPECIAL,
        *(line_token(number) for number in range(MOST_LINES + 1)),
        *(error_token(error) for error in _errors(grammar)),
        *(family_token(family) for family in ("", *grammar.families)),
        *(place(kind, number) for kind in KINDS for number in range(PLACES)),
    ]
    written = sorted({piece for text in _texts(grammar) for piece in pieces(text)} - {*KIND_OF})
    return CodeTokens((*fixed, *written))


def _errors(grammar: Grammar) -> list[str]:
    declared = (core.error for cores in grammar.families.values() for core in cores)
    return list(dict.fromkeys([*words(ERRORS), *declared]))


def _texts(grammar: Grammar) -> Iterator[str]:
    rng = random.Random("tokens")
    for template in templates(grammar):
        for _ in range(DRAWS):
            found = draft(template, grammar, rng)
            yield from (found.start + found.solution).split("\n")
    yield from map(str, range(10))

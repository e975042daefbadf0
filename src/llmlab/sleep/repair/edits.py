"""Edits: whole lines that replace others, in a format that is checked before anything changes.

    3|    return total + 1
    7|    right = str(left)

A number that is repeated puts several lines in the place of one; a number with nothing after it
leaves an empty line. Models do better with such changes than with whole programs
(RustAssistant, 2308.05177, section 4).
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

EDIT = re.compile(r"\s*(\d{1,6})\|(.*)")
MOST_LINES, MOST_CHARACTERS = 200, 20_000


class EditError(ValueError):
    """An answer that is not an edit of this program; its text says why, for the model to read."""


@dataclass(frozen=True)
class Edit:
    """New text for lines of a program, by their number from 1."""

    lines: Mapping[int, str]

    def text(self) -> str:
        """The edit as a model writes it."""
        return "\n".join(
            f"{number}|{line}"
            for number, lines in sorted(self.lines.items())
            for line in lines.split("\n")
        )

    def apply(self, code: str) -> str:
        """The program with the edit.

        Raises:
            EditError: it names a line that there is not, or changes nothing.
        """
        before = code.rstrip("\n").split("\n")
        if outside := [number for number in self.lines if not 1 <= number <= len(before)]:
            raise EditError(f"there is no line {outside[0]}: the program has {len(before)}")
        after = [self.lines.get(number, line) for number, line in enumerate(before, 1)]
        if after == before:
            raise EditError("the edit changes nothing")
        return "\n".join(after) + "\n"


def read_edit(answer: str) -> Edit:
    """The edit in a model's answer; everything around it is ignored.

    Raises:
        EditError: there is none, or it is too large.
    """
    if len(answer) > MOST_CHARACTERS:
        raise EditError(f"the answer is longer than {MOST_CHARACTERS:,} characters")
    found = [match for line in answer.split("\n") if (match := EDIT.fullmatch(line.rstrip("\r")))]
    if not found:
        raise EditError("the answer holds no line of the form NUMBER|TEXT")
    if len(found) > MOST_LINES:
        raise EditError(f"the edit has more than {MOST_LINES} lines")
    lines: dict[int, list[str]] = {}
    for match in found:
        lines.setdefault(int(match[1]), []).append(match[2])
    return Edit({number: "\n".join(texts) for number, texts in lines.items()})


def difference(before: str, after: str) -> Edit:
    """The smallest edit of whole lines that turns `before` into `after`."""
    old, new = (code.rstrip("\n").split("\n") for code in (before, after))
    lines: dict[int, str] = {}
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal":
            continue
        if start == end:  # new lines join the line before them, or the one after the start
            at, around = (start, old[start - 1 : start]) if start else (1, [])
            texts = [*around, *new[new_start:new_end], *([] if start else old[:1])]
            lines[at] = "\n".join([lines[at], *texts[1:]] if at in lines else texts)
            continue
        texts = new[new_start:new_end]
        for offset, number in enumerate(range(start + 1, end + 1)):
            lines[number] = texts[offset] if offset < len(texts) else ""
        if len(texts) > end - start:
            lines[end] = "\n".join(texts[end - start - 1 :])
    return Edit(lines)


def shown(code: str) -> str:
    """A program with the line numbers that edits use."""
    lines = code.rstrip("\n").split("\n")
    return "\n".join(f"{number}|{line}" for number, line in enumerate(lines, 1))

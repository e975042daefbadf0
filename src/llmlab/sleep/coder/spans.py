"""Edits within a line: a span of its tokens, and what takes its place.

A small model copies badly, so an edit repeats no more of a line than says where it belongs.
"""

from collections.abc import Sequence
from itertools import takewhile


def shortest_span(old: Sequence[str], new: Sequence[str]) -> tuple[list[str], list[str]]:
    """A span that `old` has once, and what takes its place to give `new`; nothing if none does."""
    start = _alike(old, new)
    after = _alike(old[start:][::-1], new[start:][::-1])
    while len(places_of(old[start : len(old) - after], old)) != 1:
        if start:
            start -= 1
        elif after:
            after -= 1
        else:
            return [], list(new)
    return list(old[start : len(old) - after]), list(new[start : len(new) - after])


def with_span(line: Sequence[str], span: Sequence[str], new: Sequence[str]) -> list[str] | None:
    """The line with `new` in place of the first such span; None if it has none.

    An empty span stands for the whole line.
    """
    if not span:
        return list(new)
    found = places_of(span, line)
    if not found:
        return None
    return [*line[: found[0]], *new, *line[found[0] + len(span) :]]


def _alike(old: Sequence[str], new: Sequence[str]) -> int:
    """How many tokens are alike from the start."""
    pairs = zip(old, new, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def places_of(span: Sequence[str], line: Sequence[str]) -> list[int]:
    """Where a span begins in a line; nowhere if it is empty."""
    width = len(span)
    return [
        at for at in range(len(line) - width + 1) if width and [*line[at : at + width]] == [*span]
    ]

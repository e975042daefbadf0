"""Spans: any edit of a line comes back from the span that stands for it."""

from hypothesis import given
from hypothesis import strategies as st

from llmlab.sleep.coder.spans import places_of, shortest_span, with_span

LINES = st.lists(st.sampled_from(["a", "b", " + ", "("]), max_size=8)


@given(LINES, LINES)
def test_a_span_gives_the_new_line_back(old: list[str], new: list[str]) -> None:
    assert with_span(old, *shortest_span(old, new)) == new


@given(LINES, LINES)
def test_a_span_stands_once_in_its_line_or_is_empty(old: list[str], new: list[str]) -> None:
    span, _ = shortest_span(old, new)
    assert not span or len(places_of(span, old)) == 1


def test_a_span_is_no_longer_than_needed() -> None:
    line = ["return", "a", " * ", "b"]
    assert shortest_span(line, ["return", "a", " + ", "b"]) == ([" * "], [" + "])
    assert shortest_span(["a", "(", "a"], ["a", "(", "b"]) == (["(", "a"], ["(", "b"])


def test_a_line_without_the_span_is_not_changed() -> None:
    assert with_span(["a", "b"], ["c"], ["d"]) is None

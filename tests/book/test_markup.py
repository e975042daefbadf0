"""Text cannot break out of the attribute or the table cell that it stands in."""

import json

import pypandoc
from hypothesis import given, settings
from hypothesis import strategies as st

from llmlab.book import markup


@settings(max_examples=20, deadline=None)
@given(st.text(alphabet='ab "\\|=}]', min_size=1, max_size=12).filter(lambda t: t.strip() == t))
def test_a_provenance_survives_pandoc(text):
    document = pypandoc.convert_text(markup.value_span("1", text), "json", format="markdown")
    (block,) = json.loads(document)["blocks"]
    (_, _, attributes), _ = block["c"][0]["c"]
    assert dict(attributes)["title"] == text


def test_a_line_may_break_in_a_value_but_not_before_a_unit():
    text = "96.4 %, claimed 93.0 to 97.0 %, +2.0 nats per token"
    kept = "[96.4\xa0%, claimed 93.0 to 97.0\xa0%, +2.0\xa0nats per token]"
    assert markup.value_span(text, "").startswith(kept)


def test_a_table_keeps_its_columns_whatever_its_cells_hold():
    table = markup.pipe_table(["a", "b"], [["x|y", "line\nbreak"]], numeric=[1])
    assert table.splitlines() == ["| a | b |", "| :-- | --: |", "| x\\|y | line break |"]


def test_empty_parts_leave_no_gap():
    assert markup.box(["note"], ["one", "", "two"]) == "::: {.note}\n\none\n\ntwo\n\n:::"

import json
import os
import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from llmlab.watch.rows import Cursor, Rows, read_rows

LINES = st.lists(st.dictionaries(st.text(max_size=3), st.integers(), max_size=2), max_size=6)


def everything(path: Path, limit: int) -> list[Rows]:
    cursor, seen = Cursor(), []
    while not seen or not seen[-1].is_last:
        seen.append(read_rows(path, cursor, limit))
        cursor = seen[-1].after
    return seen


@settings(max_examples=30)
@given(LINES, st.integers(1, 60))
def test_pieces_of_any_size_are_the_whole_log(lines: list[dict], limit: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log.jsonl")
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        seen = everything(path, limit)
    assert [json.loads(line) for rows in seen for line in rows.lines] == lines
    assert [row for rows in seen for row in json.loads(rows.json())["rows"]] == lines
    assert all(a.after == b.start for a, b in pairwise(seen))


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_any_bytes_give_json_that_a_browser_reads(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log.jsonl")
        path.write_bytes(data)
        rows = read_rows(path, Cursor())
    answer = json.loads(rows.json())
    assert all(isinstance(row, dict) for row in answer["rows"])
    assert answer["next"] == data.rfind(b"\n") + 1


def test_lines_that_are_no_objects_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"a": 1}\nnoise\n{"a": NaN}\n[1]\n{"a": 2}\n')
    rows = read_rows(path, Cursor())
    assert (rows.lines, rows.skipped) == ((b'{"a": 1}', b'{"a": 2}'), 3)


def test_a_line_that_is_being_written_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"a": 1}\n{"b"')
    first = read_rows(path, Cursor())
    with path.open("a") as file:
        file.write(": 2}\n")
    assert first.lines == (b'{"a": 1}',)
    assert read_rows(path, first.after).lines == (b'{"b": 2}',)


def test_a_log_that_was_cut_is_read_anew_though_it_has_grown_again(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}\n')
    before = read_rows(path, Cursor()).after
    aside = tmp_path / "aside"
    aside.write_text('{"a": 1}\n{"b": 2}\n{"b": 3}\n')
    os.replace(aside, path)
    rows = read_rows(path, before)
    assert rows.start.at == 0
    assert len(rows.lines) == 3


def test_a_log_that_is_shorter_than_the_cursor_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"a": 1}\n')
    assert read_rows(path, Cursor(at=99)).lines == (b'{"a": 1}',)

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.method.errors import LabError
from llmlab.runs.log import LONGEST_LINE, RunLog


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    log = RunLog(tmp_path / "log.jsonl")
    log.start({"seed": 0})
    return log


def test_events_come_back_as_they_were_logged(log: RunLog) -> None:
    log.append("point", {"step": 0, "loss": 2.5, "rate": 1e-3})
    run, point = log.events()
    assert (run.event, run.step, run.model_extra) == ("run", None, {"seed": 0})
    assert (point.event, point.step, point.loss) == ("point", 0, 2.5)
    assert point.model_extra == {"rate": 1e-3}


@dataclass(frozen=True)
class Layer:
    name: Path
    norm: float


def test_what_json_has_no_word_for_is_null_or_its_text(log: RunLog) -> None:
    layers = (Layer(Path("caf\udce9"), math.inf), Layer(Path("b"), np.float32(1.5)))
    log.append("point", {"step": np.int64(3), "loss": math.nan, "layers": layers})
    line = json.loads(log.path.read_text().splitlines()[-1])
    assert line == {
        "event": "point",
        "step": 3,
        "loss": None,
        "layers": [{"name": "caf\\xe9", "norm": None}, {"name": "b", "norm": 1.5}],
    }
    assert [event.loss for event in log.events()] == [None, None]


def test_older_logs_name_what_is_not_finite(log: RunLog) -> None:
    with log.path.open("a") as file:
        file.write('{"event": "diverged", "step": 3, "loss": "nan"}\n')
    assert [event.loss for event in log.events()] == [None, None]


@pytest.mark.parametrize("torn", [b'{"event": "po', b'{"event": "point"}', b"\xc3"])
def test_a_last_line_that_was_cut_short_is_left_out(log: RunLog, torn: bytes) -> None:
    with log.path.open("ab") as file:
        file.write(torn)
    assert [event.event for event in log.events()] == ["run"]


def test_a_run_that_goes_on_logs_nothing_twice(log: RunLog) -> None:
    for step in range(4):
        log.append("validation", {"step": step})
        log.append("point", {"step": step})
        log.append("saved", {"step": step + 1})
    with log.path.open("ab") as file:
        file.write(b'{"event": "po')
    log.cut(2)
    seen = [(event.event, event.step) for event in log.events()]
    assert seen[-3:] == [("validation", 1), ("point", 1), ("saved", 2)]
    assert log.path.read_bytes().endswith(b"\n")


def test_no_log_has_no_events(tmp_path: Path) -> None:
    assert list(RunLog(tmp_path / "log.jsonl").events()) == []


DEEP = b"[" * 100_000 + b"]" * 100_000
BAD = {
    "null": b"null",
    "list": b"[]",
    "no event": b'{"step": 1}',
    "step of text": b'{"event": "point", "step": "one"}',
    "negative step": b'{"event": "point", "step": -1}',
    "huge step": b'{"event": "point", "step": ' + b"9" * 6000 + b"}",
    "nested loss": b'{"event": "point", "loss": [1]}',
    "deep": b'{"event": "point", "more": ' + DEEP + b"}",
    "latin-1": b'{"event": "caf\xe9"}',
    "lone surrogate": rb'{"event": "\ud800"}',
    "long": b'{"event": "' + b"a" * LONGEST_LINE,
}


@pytest.mark.parametrize("line", BAD.values(), ids=BAD)
def test_a_damaged_line_is_named(log: RunLog, line: bytes) -> None:
    with log.path.open("ab") as file:
        file.write(line + b"\n" + b'{"event": "saved", "step": 1}\n')
    with pytest.raises(LabError, match=r"^line 2 of .*log.jsonl is not an event .*remove that"):
        list(log.events())


@given(st.binary(max_size=200))
def test_any_bytes_are_events_or_one_sentence(tmp_path_factory, line: bytes) -> None:
    log = RunLog(tmp_path_factory.mktemp("log") / "log.jsonl")
    log.path.write_bytes(line + b"\n")
    assert "\n" not in said_of(log)


def said_of(log: RunLog) -> str:
    """The sentence for a damaged log; nothing for one that can be read."""
    try:
        list(log.events())
    except LabError as error:
        return str(error)
    return ""


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"cannot write .*log.jsonl: No such file or directory"):
        RunLog(tmp_path / "gone" / "log.jsonl").append("point", {})

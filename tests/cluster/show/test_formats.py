"""Lines of a log, in each format."""

import json
from datetime import datetime

import pytest

from llmlab.cluster.show.events import Event, Message, Saved
from llmlab.cluster.show.formats import duration, format_named, short, size
from llmlab.cluster.show.scenario import Scenario
from llmlab.cluster.show.stage import play
from llmlab.method.errors import LabError

BEGAN = datetime(2026, 1, 2, 3, 4, 5)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    scenario = Scenario(model="1B", gpus=16, steps=20, validate_every=10)
    return list(play(scenario, seed=1, runs=1))


def lines(events: list[Event], name: str) -> list[str]:
    return [line for event in events for line in format_named(name)(event, BEGAN)]


def test_text_has_a_date_a_level_and_a_rank(events: list[Event]) -> None:
    first = lines(events, "text")[0]
    assert first.startswith("2026-01-02 03:04:05,000 [INFO] [rank0] trainer: run ")


def test_text_names_steps_validation_checkpoint_and_export(events: list[Event]) -> None:
    text = "\n".join(lines(events, "text"))
    for words in ("step 20/20 | loss", "validation at step 10", "saved checkpoint", "exported"):
        assert words in text


def test_json_lines_hold_every_event(events: list[Event]) -> None:
    parsed = [json.loads(line) for line in lines(events, "jsonl")]
    assert [one["event"] for one in parsed] == [type(event).__name__ for event in events]


def test_mlperf_lines_start_and_stop_the_run(events: list[Event]) -> None:
    found = lines(events, "mlperf")
    entries = [json.loads(line.removeprefix(":::MLLOG ")) for line in found]
    keys = [entry["key"] for entry in entries]
    assert keys.count("run_start") == keys.count("run_stop") == 1
    assert keys.count("tracked_stats") == 20
    assert keys.count("checkpoint") == sum(isinstance(event, Saved) for event in events)


def test_mlperf_lines_hold_warnings() -> None:
    event = Message(1.0, "rank 3 is slow", "WARNING", rank=3)
    entry = json.loads(lines([event], "mlperf")[0].removeprefix(":::MLLOG "))
    assert (entry["key"], entry["value"]) == ("warning", "rank 3 is slow")
    assert not lines([Message(1.0, "all is well")], "mlperf")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(LabError, match="use one of text, jsonl, mlperf"):
        format_named("xml")


def test_numbers_are_short() -> None:
    assert (short(1_234_567), size(5_000_000_000), duration(7800)) == (
        "1.23M",
        "5.00 GB",
        "2h10min",
    )

"""Pace and end of the show, by a clock that only sleeping moves."""

import os
from itertools import islice
from pathlib import Path

import pytest

from llmlab.cluster.show.events import Message, RunEnd, RunStart
from llmlab.cluster.show.scenario import Scenario
from llmlab.cluster.show.stage import Pace, awake, paced, play

TINY = Scenario(model="1B", gpus=8, steps=3)


class Clock:
    """Time that passes only in sleep."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def shown(speed: float, **more: float) -> tuple[list[float], float]:
    """When each of five messages is shown, and when the show ended."""
    clock = Clock()
    messages = (Message(at, "") for at in (0.0, 10.0, 20.0, 30.0, 40.0))
    times = [clock() - 100 for _ in paced(messages, Pace(speed, clock, clock.sleep, **more))]
    return times, clock() - 100


def test_events_come_at_the_speed() -> None:
    assert shown(10.0)[0] == pytest.approx([0, 1, 2, 3, 4])


def test_the_first_events_come_at_once() -> None:
    assert shown(10.0, instant=3)[0] == pytest.approx([0, 0, 0, 1, 2])


def test_the_show_ends_after_its_time_and_sleeps_no_longer() -> None:
    times, end = shown(10.0, seconds=2.5)
    assert times == pytest.approx([0, 1, 2])
    assert end == pytest.approx(2.5)


def test_so_many_runs_are_played_one_after_another() -> None:
    events = list(play(TINY, seed=1, runs=2))
    starts = [event.at for event in events if isinstance(event, RunStart)]
    ends = [event.at for event in events if isinstance(event, RunEnd)]
    assert len(starts) == len(ends) == 2
    assert starts[1] == ends[0]


def test_without_a_number_of_runs_another_always_follows() -> None:
    ends = (event for event in play(TINY, seed=1) if isinstance(event, RunEnd))
    names = [event.name for event in islice(ends, 4)]
    assert len(set(names)) == 4


def test_the_computer_is_kept_awake_as_long_as_the_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool, told = tmp_path / "caffeinate", tmp_path / "told"
    os.mkfifo(told)
    tool.write_text(f'#!/bin/sh\necho "$$ $*" > {told}\nexec sleep 60\n', encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with awake():
        process, *arguments = told.read_text(encoding="utf-8").split()
        os.kill(int(process), 0)  # it lives
    assert arguments == ["-i", "-w", str(os.getpid())]
    with pytest.raises(ProcessLookupError):
        os.kill(int(process), 0)


def test_without_a_tool_to_keep_it_awake_the_show_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with awake():
        pass


def test_the_same_seed_plays_the_same_show_and_another_does_not() -> None:
    first, same, other = (list(islice(play(TINY, seed), 40)) for seed in (1, 1, 2))
    assert first == same
    assert first != other

"""Play runs one after another, showing each event at its time.

Time is simulated; the stage waits between events with an injected clock and sleep function.
"""

import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import getpid

from llmlab.cluster.dynamics.library import loss_dynamics, real_runs, step_dynamics
from llmlab.cluster.show.events import Event
from llmlab.cluster.show.scenario import Scenario, cast
from llmlab.cluster.show.world import World

LONGEST_SLEEP = 3600.0
"""Longest sleep in seconds; the system refuses much longer ones."""


@dataclass(frozen=True)
class Pace:
    """The speed and the end of the show.

    Attributes:
        speed: simulated seconds per real second.
        instant: number of first events shown without waiting.
        seconds: real seconds after which the show ends; None for never.
    """

    speed: float
    clock: Callable[[], float]
    sleep: Callable[[float], object]
    instant: int = 0
    seconds: float | None = None


def play(scenario: Scenario, seed: int, runs: int | None = None) -> Iterator[Event]:
    """The events of `runs` runs, one after another; endless if `runs` is None.

    Raises:
        LabError: the model or GPU is unknown, or does not fit so many GPUs.
    """
    dice = random.Random(seed)
    library = real_runs()
    with_losses = [run for run in library if run.has_losses]
    at, played = 0.0, 0
    while runs is None or played < runs:
        casting = cast(scenario, dice)
        steps = step_dynamics((dice.choice(library),))[0]
        losses = loss_dynamics((dice.choice(with_losses),))[0]
        world = World(scenario, casting, steps, losses, dice.randrange(2**31), at)
        for event in world.events():
            at = event.at
            yield event
        played += 1


def paced(events: Iterator[Event], pace: Pace) -> Iterator[Event]:
    """Yield the events, each at its time, until the show is over."""
    began = pace.clock()
    origin, since = began, 0.0  # the clock's time of a simulated second
    for number, event in enumerate(events):
        if number < pace.instant:
            origin, since = pace.clock(), event.at
        else:
            _wait(origin + (event.at - since) / pace.speed, began, pace)
        if _is_over(began, pace):
            return
        yield event


def _wait(until: float, began: float, pace: Pace) -> None:
    """Sleep until a time on the clock, but not beyond the end of the show."""
    end = began + pace.seconds if pace.seconds is not None else until
    while (left := min(until, end) - pace.clock()) > 0:
        pace.sleep(min(left, LONGEST_SLEEP))


def _is_over(began: float, pace: Pace) -> bool:
    return pace.seconds is not None and pace.clock() - began >= pace.seconds


@contextmanager
def awake() -> Iterator[None]:
    """Keep the computer from sleeping, if a tool for that is installed."""
    command = _inhibitor()
    if command is None:
        yield
        return
    quiet = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    process = subprocess.Popen(command, **quiet)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _inhibitor() -> list[str] | None:
    """A command that keeps the computer awake as long as this process lives."""
    if shutil.which("caffeinate"):
        return ["caffeinate", "-i", "-w", str(getpid())]
    if shutil.which("systemd-inhibit"):
        waiting = ["tail", f"--pid={getpid()}", "-f", "/dev/null"]
        return ["systemd-inhibit", "--what=idle:sleep", "--who=llmlab", *waiting]
    return None

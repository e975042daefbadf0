"""What there is to learn from a day: lessons from its episodes, by method."""

import random
from collections.abc import Callable, Sequence

from llmlab.method.errors import LabError
from llmlab.sleep.coder.lessons import Lesson
from llmlab.sleep.koans.verdict import Verdict
from llmlab.sleep.repair.edits import difference
from llmlab.sleep.repair.episodes import Episode
from llmlab.sleep.repair.task import Task

REPLAY = 0.2
"""Share of passed episodes among the lessons, unless told otherwise."""


def from_reference(episode: Episode) -> Lesson:
    """The reference repair, whatever the model did."""
    return Lesson(_task(episode), difference(episode.start, episode.solution).text())


def from_own(episode: Episode) -> Lesson:
    """The model's own green repair."""
    return Lesson(_task(episode), difference(episode.start, episode.turns[-1].code).text())


def failed(episodes: Sequence[Episode]) -> list[Episode]:
    return [episode for episode in episodes if not episode.is_green]


def passed(episodes: Sequence[Episode]) -> list[Episode]:
    return [episode for episode in episodes if episode.is_green]


def naive(episodes: Sequence[Episode], seed: int) -> list[Lesson]:
    """Every episode, with its reference."""
    return [from_reference(episode) for episode in episodes]


def targeted(episodes: Sequence[Episode], seed: int) -> list[Lesson]:
    """Failed episodes only, with their references."""
    return [from_reference(episode) for episode in failed(episodes)]


def self_training(episodes: Sequence[Episode], seed: int) -> list[Lesson]:
    """The coder's own green repairs (rejection sampling; STaR, 2203.14465)."""
    return [from_own(episode) for episode in passed(episodes)]


def replay(share: float) -> Callable[[Sequence[Episode], int], list[Lesson]]:
    """Failed episodes with their references, and passed ones that make up `share`.

    Raises:
        LabError: the share is not from 0 to below 1.
    """
    if not 0 <= share < 1:
        raise LabError(f"a replay share of {share:g} leaves no new lesson: take 0 to below 1.")

    def lessons(episodes: Sequence[Episode], seed: int) -> list[Lesson]:
        new, old = targeted(episodes, seed), passed(episodes)
        wanted = min(len(old), round(len(new) * share / (1 - share)))
        kept = random.Random(seed).sample(old, wanted)
        return new + [from_own(episode) for episode in kept]

    return lessons


def _task(episode: Episode) -> Task:
    verdict = Verdict(
        episode.start_outcome, episode.start_error, episode.start_line, episode.start_said
    )
    return Task(episode.language, episode.start, verdict)

"""Ways to answer each program: one of many adapters, or one that stands for all."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from llmlab.sleep.koans.koan import Koan
from llmlab.sleep.night.adapters import deltas, mean_of_deltas
from llmlab.sleep.night.lessons import from_reference
from llmlab.sleep.night.nights import trained_adapter
from llmlab.sleep.night.routing import learned_router
from llmlab.sleep.night.skills import Stream
from llmlab.sleep.night.stream import Skills, skills_of
from llmlab.sleep.repair.task import Task
from llmlab.sleep.study.exams import spend_day
from llmlab.sleep.study.skills import NOT_TRIED

ALL = "all families"


@dataclass(frozen=True)
class Route:
    """Weights by name, and the name that answers each koan of an exam."""

    skills: Skills
    names: Sequence[str]


def tasks_of(stream: Stream, koans: Sequence[Koan]) -> list[Task]:
    """The questions about koans, without their families."""
    return [from_reference(each).task for each in spend_day(stream.coder, koans, NOT_TRIED)]


def _oracle(stream: Stream, koans: Sequence[Koan]) -> Route:
    return Route(skills_of(stream.adapters), [koan.family for koan in koans])


def _learned(stream: Stream, koans: Sequence[Koan]) -> Route:
    router = learned_router(stream.coder, stream.tasks)
    return Route(skills_of(stream.adapters), router.families(tasks_of(stream, koans)))


def _chance(stream: Stream, koans: Sequence[Koan]) -> Route:
    drawn = random.Random(stream.night.seed).choices(list(stream.tasks), k=len(koans))
    return Route(skills_of(stream.adapters), drawn)


def _averaged(stream: Stream, koans: Sequence[Koan]) -> Route:
    return Route({ALL: mean_of_deltas(list(stream.adapters.values()))}, [ALL] * len(koans))


def _one(stream: Stream, koans: Sequence[Koan]) -> Route:
    """One adapter on all lessons, with as many steps as all the others together."""
    lessons = [lesson for each in stream.tasks.values() for lesson in each]
    steps = len(stream.tasks) * stream.night.steps
    night = replace(stream.night, steps=steps)
    adapter = trained_adapter(stream.coder, lessons, night, steps, night.seed)
    return Route({ALL: deltas(adapter)}, [ALL] * len(koans))


ROUTES: Mapping[str, Callable[[Stream, Sequence[Koan]], Route]] = {
    "oracle": _oracle,
    "learned": _learned,
    "chance": _chance,
    "averaged": _averaged,
    "one": _one,
}
"""Who answers, by name."""

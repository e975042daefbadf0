"""Many small adapters of known families, and bases made of some of them."""

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from llmlab.sleep.coder.lessons import Lesson
from llmlab.sleep.coder.school import taught
from llmlab.sleep.night import share
from llmlab.sleep.night.adapters import Adapter
from llmlab.sleep.night.bases import Bases, random_bases
from llmlab.sleep.night.nights import Night, trained_adapter
from llmlab.sleep.study.exams import open_base
from llmlab.sleep.study.skills import lessons_of_families

RANDOM = "random"


@dataclass(frozen=True)
class Library:
    """Adapters of the families that the base was taught, each of a few lessons of one family.

    Attributes:
        folder: what `sleep_base` left.
        n_adapters: as even over the families as it goes.
        koans: for each family.
        steps: of each adapter.
    """

    folder: Path
    n_adapters: int
    koans: int
    steps: int
    night: Night


@cache
def library_adapters(library: Library) -> tuple[Adapter, ...]:
    """All adapters, in an order of this seed's own, so that any first ones are a fair sample."""
    coder = open_base(library.folder)
    night = library.night
    lessons = lessons_of_families(coder, taught(coder.language), library.koans, night.seed)
    found = [
        trained_adapter(coder, piece, night, library.steps, 1000 * night.seed + number)
        for number, piece in enumerate(pieces(list(lessons.values()), library.n_adapters))
    ]
    random.Random(night.seed).shuffle(found)
    return tuple(found)


def pieces(families: list[list[Lesson]], count: int) -> list[list[Lesson]]:
    """The lessons of each family dealt to several adapters, `count` in all."""
    each, more = divmod(count, len(families))
    dealt = []
    for number, lessons in enumerate(families):
        hands = each + (number < more)
        dealt += [lessons[hand::hands] for hand in range(hands)]
    return dealt


def library_bases(library: Library, basis: str) -> Bases:
    """The leading directions of the first adapters, as many as `basis` says, or random ones."""
    adapters = library_adapters(library)
    n_directions = library.night.n_directions
    if basis == RANDOM:
        return random_bases(adapters[0], n_directions, library.night.seed)
    return share.share(adapters[: int(basis)], n_directions).bases


def captured(adapter: Adapter, bases: Bases) -> float:
    """The share of an adapter's squared ΔW that its projections on both sides keep."""
    kept = whole = 0.0
    for path, basis in bases.items():
        delta_OI = adapter[path].delta_OI
        kept += float((basis.out_OK.T @ delta_OI @ basis.in_IK).square().sum())
        whole += float(delta_OI.square().sum())
    return kept / whole

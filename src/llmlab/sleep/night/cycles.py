"""Days and nights in a row: each day is tried by the coder that the previous nights made."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from llmlab.sleep.coder.coder import Coder
from llmlab.sleep.coder.lessons import Lesson
from llmlab.sleep.night.adapters import deltas, with_deltas
from llmlab.sleep.night.lessons import from_own, naive, self_training
from llmlab.sleep.night.nights import Night, trained_adapter
from llmlab.sleep.repair.episodes import Episode

Day = Callable[[Coder, int], Sequence[Episode]]
"""The episodes of a coder on a day, given by its number."""


def unjudged(episodes: Sequence[Episode], seed: int) -> list[Lesson]:
    """The coder's own edits, whatever the judge said."""
    return [from_own(each) for each in episodes if each.turns and each.turns[-1].code]


CYCLE_METHODS: Mapping[str, Callable[[Sequence[Episode], int], list[Lesson]]] = {
    "self": self_training,
    "unjudged": unjudged,
    "references": naive,
}
"""What each night learns from its day, by name."""


@dataclass(frozen=True)
class Morning:
    """What a night has made.

    Attributes:
        night: its number, from 1.
        day_rate: share of the day before that ended green.
    """

    coder: Coder
    night: int
    day_rate: float


def cycles(coder: Coder, spend: Day, method: str, night: Night, count: int) -> Iterator[Morning]:
    """`count` days and nights; each night's adapter is added to the weights for good.

    A night after a day without lessons changes nothing.
    """
    choose = CYCLE_METHODS[method]
    for number in range(1, count + 1):
        day = spend(coder, number)
        here = replace(night, seed=1000 * night.seed + number)
        if lessons := choose(day, here.seed):
            adapter = trained_adapter(coder, lessons, here, here.steps, here.seed)
            coder = replace(coder, model=with_deltas(coder.model, deltas(adapter)))
        yield Morning(coder, number, sum(each.is_green for each in day) / len(day))

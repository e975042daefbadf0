"""Methods that give each family of bugs its own weights, or all families the same."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from llmlab.sleep.coder.coder import Coder
from llmlab.sleep.night import share
from llmlab.sleep.night.adapters import Adapter, Deltas, mean_of_deltas, mean_of_factors
from llmlab.sleep.night.bases import directions_for, in_bases, null_of, random_bases
from llmlab.sleep.night.nights import Night, Tasks
from llmlab.sleep.night.share import Shared
from llmlab.sleep.night.stream import (
    SPEC,
    Skills,
    coefficients,
    projected,
    share_as_coded,
    share_continual,
    share_full,
    skills_of,
)

NOISE = 500_000
"""Seeds of noise are apart from those that adapters start from."""


@dataclass(frozen=True)
class Stream:
    """Families that arrive one after another, and what every method starts from.

    Attributes:
        tasks, adapters: lessons and an adapter of each family, in the order in which they arrive.
        night: its steps are those of each family.
    """

    coder: Coder
    tasks: Tasks
    adapters: Mapping[str, Adapter]
    night: Night

    @cached_property
    def n_directions(self) -> int:
        return directions_for(list(self.adapters.values()), SPEC.variance)

    @cached_property
    def shared(self) -> Shared:
        """All adapters in the basis that holds Share's share of the variance."""
        return share.share(list(self.adapters.values()), self.n_directions)

    @cached_property
    def at_random(self) -> Shared:
        """All adapters in as many random directions."""
        adapters = list(self.adapters.values())
        return in_bases(adapters, random_bases(adapters[0], self.n_directions, self.night.seed))

    def first(self, count: int) -> dict[str, Adapter]:
        return dict(islice(self.adapters.items(), count))

    def for_all(self, changes: Deltas) -> Skills:
        """The same change for every family."""
        return dict.fromkeys(self.tasks, changes)


def in_random_order(families: tuple[str, ...], seed: int) -> tuple[str, ...]:
    return tuple(random.Random(seed).sample(families, len(families)))


def _null(stream: Stream) -> Skills:
    return {
        name: null_of(adapter, NOISE + 1000 * stream.night.seed + number)
        for number, (name, adapter) in enumerate(stream.adapters.items())
    }


def _full(stream: Stream) -> Skills:
    return share_full(stream.coder, stream.tasks, stream.shared, stream.night)


def _continual(stream: Stream) -> Skills:
    first = stream.first(SPEC.n_first)
    return share_continual(stream.coder, stream.tasks, first, stream.night)


def _as_coded(stream: Stream) -> Skills:
    (first,) = stream.first(1).values()
    return share_as_coded(stream.coder, stream.tasks, first, stream.night)


SHARE_METHODS: Mapping[str, Callable[[Stream], Skills]] = {
    "separate": lambda stream: skills_of(stream.adapters),
    "share-full": _full,
    "share-continual": _continual,
    "share-as-coded": _as_coded,
    "share-projected": lambda stream: projected(stream.adapters, stream.shared),
    "random-projected": lambda stream: projected(stream.adapters, stream.at_random),
    "share-coefficients": lambda stream: coefficients(
        stream.coder, stream.tasks, stream.shared.bases, stream.night
    ),
    "random-coefficients": lambda stream: coefficients(
        stream.coder, stream.tasks, stream.at_random.bases, stream.night
    ),
    "share-averaged": lambda stream: stream.for_all(share.averaged(stream.shared)),
    "mean-factors": lambda stream: stream.for_all(mean_of_factors(list(stream.adapters.values()))),
    "mean": lambda stream: stream.for_all(mean_of_deltas(list(stream.adapters.values()))),
    "null": _null,
}
"""How each method makes the weights for each family."""

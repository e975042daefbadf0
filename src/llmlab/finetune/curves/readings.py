"""The output of a reader: points by run, and one line for each thing that it leaves out."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from llmlab.method.documents import listed

LARGEST = 2**53
"""Steps beyond this cannot be told apart as floating-point numbers."""
SHOWN = 4
"""Most names that one line lists."""

Point = tuple[str, int, float]
"""A curve's name, step and value."""

_STEP = TypeAdapter(Annotated[int, Field(ge=-LARGEST, le=LARGEST)])
_VALUE = TypeAdapter(float)


@dataclass(frozen=True)
class Readings:
    """The points of a file, or of several that are one run.

    Attributes:
        points: by the name of their run.
        notes: a sentence for each thing that was left out or merged.
    """

    points: Mapping[str, list[Point]]
    notes: tuple[str, ...] = ()


@dataclass
class Omissions:
    """Counts what is left out, by its reason, with the names concerned and the first place."""

    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    names: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    places: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, place: str, name: str = "") -> None:
        """Count one more of them; the reason names one of its kind, as in "a value ..."."""
        self.counts[reason] += 1
        self.places.setdefault(reason, place)
        if name:
            self.names[reason][name] = None

    def notes(self) -> tuple[str, ...]:
        """One line for each reason."""
        return tuple(self._note(reason) for reason in self.counts)

    def _note(self, reason: str) -> str:
        count, place = self.counts[reason], self.places[reason]
        times = "once" if count == 1 else f"{count} times"
        names = listed(list(self.names[reason]), SHOWN)
        of = f" ({names})" if names else ""
        where = f"in {place}" if count == 1 else f"first in {place}"
        return f"left out {times}: {reason}{of}, {where}"


def as_step(value: object) -> int | None:
    """The value as a step, if it is a whole number that a float represents exactly."""
    if isinstance(value, str):
        value = as_value(value)
    return None if isinstance(value, bool) else _validated(_STEP, value)


def as_value(value: object) -> float | None:
    """The value as a number; NaN and infinity may be written by name."""
    return None if isinstance(value, bool) else _validated(_VALUE, value)


def _validated(adapter: TypeAdapter, value: object) -> object:
    try:
        return adapter.validate_python(value)
    except (ValidationError, OverflowError):
        return None

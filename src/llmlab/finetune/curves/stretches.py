"""Stretches of a curve without a usable number: NaN, infinite, or zero without being learned."""

import math
from dataclasses import dataclass

import numpy as np

from llmlab.finetune.curves.curve import Curve

ABRUPT = 0.05
"""Share of its first value above which a loss does not become zero in one step by learning."""


@dataclass(frozen=True)
class Stretch:
    """Neighbouring points of a curve that have something in common.

    Attributes:
        first, last: steps of its two ends.
        points: how many there are.
        value: the first of them.
        over_at: the first step after it; None if the curve ends in it.
    """

    first: int
    last: int
    points: int
    value: float
    over_at: int | None


def not_finite(curve: Curve) -> tuple[Stretch, ...]:
    """Where the curve is NaN or infinite."""
    return _stretches(curve, ~np.isfinite(curve.y))


def zeros(curve: Curve) -> tuple[Stretch, ...]:
    """Where the loss is exactly zero without having come near it before.

    A loss that learning brings down prints as zero only after it was small. One that falls to zero
    at once, or begins there and stays, was not computed.
    """
    finite = curve.finite()
    usual = abs(finite.values[0]) if finite else math.nan
    found = []
    for stretch in _stretches(curve, curve.y == 0):
        place = int(np.searchsorted(curve.x, stretch.first))
        before = abs(curve.values[place - 1]) if place else math.nan
        begins = not math.isfinite(before) and stretch.points > 1
        if begins or before > ABRUPT * usual:
            found.append(stretch)
    return tuple(found)


def _stretches(curve: Curve, inside: np.ndarray) -> tuple[Stretch, ...]:
    """The stretches of neighbouring points that lie `inside`."""
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False))
    return tuple(
        Stretch(
            first=curve.steps[start],
            last=curve.steps[stop - 1],
            points=int(stop - start),
            value=curve.values[start],
            over_at=curve.steps[stop] if stop < len(curve) else None,
        )
        for start, stop in edges.reshape(-1, 2)
    )

"""A curve: one number over the steps of one run."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Curve:
    """Values over rising steps; a value may be infinite or NaN where the run broke.

    Raises:
        ValueError: there are no points, or the steps do not rise.
    """

    steps: tuple[int, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.steps or len(self.steps) != len(self.values):
            raise ValueError("a curve needs points, and a value for each step.")
        if any(
            later <= earlier for earlier, later in zip(self.steps, self.steps[1:], strict=False)
        ):
            raise ValueError("the steps of a curve must rise.")

    @classmethod
    def of(cls, points: Iterable[tuple[int, float]]) -> "Curve":
        """The curve through (step, value) points."""
        steps, values = zip(*points, strict=True) if (points := list(points)) else ((), ())
        return cls(tuple(int(step) for step in steps), tuple(float(value) for value in values))

    def __len__(self) -> int:
        return len(self.steps)

    @cached_property
    def x(self) -> np.ndarray:
        """The steps as an array."""
        return np.asarray(self.steps, dtype=float)

    @cached_property
    def y(self) -> np.ndarray:
        """The values as an array."""
        return np.asarray(self.values, dtype=float)

    def finite(self) -> "Curve | None":
        """The points whose value is finite; None if there are none."""
        if np.isfinite(self.y).all():
            return self
        kept = [point for point in zip(self.steps, self.values, strict=True) if _is_finite(point)]
        return Curve.of(kept) if kept else None

    def between(self, first: float, last: float) -> "Curve | None":
        """The points with `first` <= step <= `last`; None if there are none."""
        points = zip(self.steps, self.values, strict=True)
        kept = [point for point in points if first <= point[0] <= last]
        return Curve.of(kept) if kept else None


def _is_finite(point: tuple[int, float]) -> bool:
    return math.isfinite(point[1])

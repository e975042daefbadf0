"""Transformers by parameter budget; counts are exact before any module is built."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from llmlab.method.errors import LabError

TOLERANCE = 1e-3
"""Largest relative deviation of a count from the budget."""
LAYERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
HEAD_WIDTHS = (2, 4, 5, 6, 8, 12, 16, 32, 64, 128)
WIDEST = 4096
"""Largest width of the grid."""
SHAPE_FACTOR = (0.5, 8.0)
"""Range of the ratio of feed-forward width to model width; 4 is usual."""


@dataclass(frozen=True)
class Architecture:
    """A transformer encoder over patches of days.

    Attributes:
        n_features: number of features per day.
        look_back: window in days, a multiple of `patch`.
        patch: days per token (Nie et al. 2023, 2211.14730, section 3.1).
        d_model, n_layers, n_heads, d_feedforward: as in Vaswani et al. 2017 (1706.03762).
    """

    n_features: int
    look_back: int = 16
    patch: int = 4
    d_model: int = 8
    n_layers: int = 1
    n_heads: int = 1
    d_feedforward: int = 32

    @property
    def n_tokens(self) -> int:
        return self.look_back // self.patch

    @property
    def n_parameters(self) -> int:
        """Exact count of weights and biases."""
        d = self.d_model
        embedding = self.patch * self.n_features * d + d + self.n_tokens * d
        ends = 2 * d + d + 1  # last norm, head
        return embedding + self.n_layers * self._per_layer + ends

    @property
    def _per_layer(self) -> int:
        d, f = self.d_model, self.d_feedforward
        attention = 4 * d * d + 4 * d
        return attention + 4 * d + 2 * d * f + f + d


def within_budget(base: Architecture, budget: int) -> list[Architecture]:
    """Every shape of the grid whose count is within `TOLERANCE` of the budget, best first.

    The best shape has the most usual proportions: about 12 of width per layer at small sizes, 64
    per layer at large ones, and a feed-forward layer four times as wide as the model.

    Raises:
        LabError: no shape fits; names the nearest.
    """
    shapes = list(grid(base, budget))
    near = [one for one in shapes if abs(one.n_parameters - budget) <= TOLERANCE * budget]
    if not near:
        raise _no_shape(base, budget, shapes)
    return sorted(near, key=_oddity)


def grid(base: Architecture, budget: int) -> Iterator[Architecture]:
    """For each depth and width, the two feed-forward widths whose counts bracket the budget."""
    for head in HEAD_WIDTHS:
        for n_heads in range(1, WIDEST // head + 1):
            d = head * n_heads
            for n_layers in LAYERS:
                bare = replace(base, d_model=d, n_layers=n_layers, n_heads=n_heads, d_feedforward=0)
                left = (budget - bare.n_parameters) / n_layers / (2 * d + 1)
                if left < SHAPE_FACTOR[0] * d - 1:
                    break
                for f in {max(1, math.floor(left)), math.ceil(left)}:
                    if SHAPE_FACTOR[0] <= f / d <= SHAPE_FACTOR[1]:
                        yield replace(bare, d_feedforward=f)


def _oddity(shape: Architecture) -> tuple[float, ...]:
    """Distance of a shape from usual ones: width to depth, feed-forward width, width of heads."""
    usual_ratio = 12 if shape.n_parameters < 1e6 else 64
    return (
        abs(math.log(shape.d_model / shape.n_layers / usual_ratio))
        + abs(math.log(shape.d_feedforward / shape.d_model / 4))
        + 0.2 * abs(math.log2(shape.d_model / shape.n_heads / (8 if usual_ratio == 12 else 64))),
        shape.n_layers,
        shape.n_heads,
    )


def _no_shape(base: Architecture, budget: int, shapes: list[Architecture]) -> LabError:
    cause = f"no transformer over {base.n_features} features and {base.look_back} days has"
    if shapes:
        nearest = min(shapes, key=lambda one: abs(one.n_parameters - budget)).n_parameters
    else:
        nearest = _smallest(base).n_parameters
    return LabError(
        f"{cause} {budget:,} parameters within {TOLERANCE:.1%}; the nearest has "
        f"{nearest:,}; use that many, or other features."
    )


def _smallest(base: Architecture) -> Architecture:
    d = HEAD_WIDTHS[0]
    return replace(base, d_model=d, n_layers=1, n_heads=1, d_feedforward=math.ceil(d / 2))

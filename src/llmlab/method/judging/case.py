"""What is compared to judge one hypothesis, and what comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from llmlab.method.judging.ledger import Hypothesis
from llmlab.method.judging.sides import Edge, Side, Table

FEWEST_SEEDS = 3
"""Fewest complete pairs for a verdict."""


@dataclass(frozen=True)
class Judgement:
    """What the runs say about a hypothesis, before the correction for its family.

    Attributes:
        effect: mean paired difference, mean rank correlation, or best level.
        low, high: ends of its interval at `level`.
        unit: unit of effect, low and high; "1" if none.
        per_seed: the effect of each seed.
        second_opinion: a bootstrap interval that chooses tuned levels again in each resample; None
            with too few seeds, or if the main interval is a bootstrap.
        test: the deciding test, in words.
        p_supported, p_refuted: p values of the claim and of its opposite; a check has none.
        sides: the sides as compared.
        alarms: warnings that a reader must know before trusting the result.
        open_end: what must be tried before this can be decided; empty if nothing.
        is_t: whether the power of a t test gives the detectable effect.
    """

    effect: float
    low: float
    high: float
    level: float
    n: int
    unit: str
    per_seed: tuple[float, ...]
    second_opinion: tuple[float, float] | None
    test: str
    p_supported: float | None
    p_refuted: float | None
    sides: tuple[Side, ...]
    alarms: tuple[str, ...]
    open_end: str = ""
    is_t: bool = False


@dataclass(frozen=True)
class NoJudgement:
    """Why the runs say nothing about a hypothesis."""

    word: Literal["UNDECIDED", "UNTESTED"]
    reason: str


@dataclass(frozen=True)
class Case:
    """What is compared.

    Attributes:
        values: [n, sides] the metric of each side at its best level.
        edges: chosen levels at an edge of the grid, each with its side.
    """

    table: Table
    sides: tuple[Side, ...]
    values: np.ndarray
    edges: Sequence[tuple[Side, Edge]]

    @property
    def hypothesis(self) -> Hypothesis:
        return self.table.hypothesis

    @property
    def unit(self) -> str:
        """The unit of the metric."""
        return self.table.experiment.metric(self.hypothesis.metric).unit

    @property
    def direction(self) -> int:
        """1 if more of the metric is better, -1 if less is."""
        metric = self.table.experiment.metric(self.hypothesis.metric)
        return -1 if metric.direction == "lower" else 1

    @property
    def alarms(self) -> list[str]:
        return [f"{side.name}: {edge.alarm}" for side, edge in self.edges]

    def open_end(self, losing: Side | None = None) -> str:
        """What must be tried first, as one phrase.

        Args:
            losing: the only side that could change the verdict; None if each could.
        """
        counted = [edge for side, edge in self.edges if losing is None or side is losing]
        return " and ".join(dict.fromkeys(edge.remedy for edge in counted))

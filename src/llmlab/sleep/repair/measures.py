"""What episodes say: pass rates with intervals, gains and regressions item by item, cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from llmlab.method.errors import LabError
from llmlab.method.judging.statistics import Estimate, mcnemar_p, wilson_interval
from llmlab.sleep.repair.episodes import Episode


@dataclass(frozen=True)
class Evaluation:
    """One run over some koans.

    Attributes:
        rate: share that ends green, with Wilson's 95 % interval.
        median_turns: of those that end green; NaN if none does.
        no_edit: share of turns whose answer was not an edit.
        no_answer: share of turns to which no answer came.
    """

    n: int
    passed: int
    rate: Estimate
    median_turns: float
    no_edit: float
    no_answer: float
    tokens: int
    seconds: float


def evaluated(episodes: Sequence[Episode]) -> Evaluation:
    """The numbers of one run.

    Raises:
        LabError: there is no episode.
    """
    if not episodes:
        raise LabError("there is no episode to evaluate: make some with `llmlab sleep run`.")
    turns = [turn for episode in episodes for turn in episode.turns]
    green = [len(episode.turns) for episode in episodes if episode.is_green]
    return Evaluation(
        n=len(episodes),
        passed=len(green),
        rate=wilson_interval(len(green), len(episodes)),
        median_turns=median(green) if green else float("nan"),
        no_edit=_share(turns, "no edit"),
        no_answer=_share(turns, "no answer"),
        tokens=sum(turn.prompt_tokens + turn.tokens for turn in turns),
        seconds=sum(turn.seconds for turn in turns),
    )


def _share(turns: Sequence, outcome: str) -> float:
    return sum(turn.outcome == outcome for turn in turns) / max(1, len(turns))


@dataclass(frozen=True)
class Comparison:
    """Two runs over the same koans.

    Attributes:
        gains, regressions: koans green only in the second, only in the first.
        p: exact McNemar test, which takes koans for independent.
        difference: of the pass rates, second minus first.
        low, high: 95 % interval of the difference, families drawn anew (cluster bootstrap).
    """

    n: int
    gains: tuple[str, ...]
    regressions: tuple[str, ...]
    p: float
    difference: float
    low: float
    high: float


RESAMPLES = 2000


def compared(first: Sequence[Episode], second: Sequence[Episode]) -> Comparison:
    """The second run against the first, on the koans that both tried.

    Raises:
        LabError: they share no koan.
    """
    before = {episode.key: episode for episode in first}
    pairs = [(before[episode.key], episode) for episode in second if episode.key in before]
    if not pairs:
        raise LabError("the two runs share no koan: run both with the same koans, split and seed.")
    a = np.array([pair[0].is_green for pair in pairs])
    b = np.array([pair[1].is_green for pair in pairs])
    low, high = _clustered(b.astype(float) - a, [pair[1].family for pair in pairs])
    return Comparison(
        n=len(pairs),
        gains=_names(pairs, ~a & b),
        regressions=_names(pairs, a & ~b),
        p=mcnemar_p(a, b),
        difference=float(b.mean() - a.mean()),
        low=low,
        high=high,
    )


def _names(pairs: Sequence[tuple[Episode, Episode]], chosen: np.ndarray) -> tuple[str, ...]:
    return tuple(pair[1].koan for pair, is_in in zip(pairs, chosen, strict=True) if is_in)


def _clustered(differences: np.ndarray, families: Sequence[str]) -> tuple[float, float]:
    names, index = np.unique(families, return_inverse=True)
    sums = np.bincount(index, weights=differences)
    counts = np.bincount(index)
    drawn = np.random.default_rng(0).integers(0, len(names), (RESAMPLES, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)

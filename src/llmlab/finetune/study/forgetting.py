"""What fine-tuning costs: accuracy before and after on the same items, old skills and new."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import scipy  # loads scipy.stats, which takes a second, only where it is used

from llmlab.finetune.tasks.skills import Item
from llmlab.gpt.training import Evaluation
from llmlab.method.errors import LabError
from llmlab.method.judging.statistics import Estimate, holm, mcnemar_p, wilson_interval

LEVEL = 0.95


@dataclass(frozen=True)
class Row:
    """One suite, or one level of difficulty of it, before and after.

    Attributes:
        level: None for all items of the suite.
        before, after: share of right answers with Wilson's interval.
        change: after minus before, paired by item.
        p_value: exact McNemar test, by Holm's rule over all rows of the report.
    """

    suite: str
    level: int | None
    before: Estimate
    after: Estimate
    change: Estimate
    p_value: float


@dataclass(frozen=True)
class Report:
    """What fine-tuning changed.

    Attributes:
        rows: old suites first; of each all items, then its levels.
        forgetting: accuracy before minus after, mean over the old suites.
        plasticity: accuracy gained on the new task; None where there is none.
    """

    rows: tuple[Row, ...]
    forgetting: Estimate
    plasticity: Estimate | None

    def __str__(self) -> str:
        lines = [f"{'suite':<14}{'level':>6}{'before':>9}{'after':>9}{'change':>27}{'p':>9}"]
        lines += [
            f"{row.suite:<14}{row.level or 'all':>6}{row.before.value:>9.1%}{row.after.value:>9.1%}"
            f"{_interval(row.change):>27}{row.p_value:>9.2g}"
            for row in self.rows
        ]
        lines.append(f"forgetting {_interval(self.forgetting)}")
        if self.plasticity:
            lines.append(f"plasticity {_interval(self.plasticity)}")
        return "\n".join(lines)


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:+.1%} ({estimate.low:+.1%} to {estimate.high:+.1%})"


def report(
    before: Mapping[str, Evaluation],
    after: Mapping[str, Evaluation],
    items: Mapping[str, Sequence[Item]],
    new: str | None = None,
) -> Report:
    """Compare two models that were graded on the same items.

    Args:
        before, after: grades of each suite.
        items: the items of each suite, in the order in which they were graded.
        new: the suite that was trained for; all others are old.

    Raises:
        LabError: a suite lacks grades, or grades and items differ in number.
    """
    for suite, those in items.items():
        for name, grades in (("before", before), ("after", after)):
            n_graded = len(grades[suite].correct) if suite in grades else 0
            if n_graded != len(those):
                raise LabError(
                    f"suite '{suite}' has {len(those)} items but {n_graded} grades {name}: grade "
                    "both models on the same items."
                )
    old = [suite for suite in items if suite != new]
    parts = [
        (suite, level, _chosen(before[suite], wanted), _chosen(after[suite], wanted))
        for suite in (*old, *filter(None, [new]))
        for level, wanted in _levels(items[suite])
    ]
    p_values = holm([mcnemar_p(first, second) for _, _, first, second in parts])
    rows = tuple(
        Row(suite, level, _share(first), _share(second), paired_change(first, second), float(p))
        for (suite, level, first, second), p in zip(parts, p_values, strict=True)
    )
    whole = {row.suite: row.change for row in rows if row.level is None}
    return Report(rows, _forgetting([whole[suite] for suite in old]), whole.get(new))


def paired_change(before: np.ndarray, after: np.ndarray) -> Estimate:
    """Share of right answers after minus before, on the same items, with its 95 % interval.

    Wald's interval with half an item added to each of the four cells, which covers well even where
    hardly an item changed (Agresti and Min 2005, Statistics in Medicine 24, 729-740).

    Args:
        before, after: [n] of bool.
    """
    n = len(before)
    gained = (np.sum(~before & after) + 0.5) / (n + 2)
    lost = (np.sum(before & ~after) + 0.5) / (n + 2)
    error = math.sqrt((gained + lost - (gained - lost) ** 2) / (n + 2))
    half = float(scipy.stats.norm.ppf((1 + LEVEL) / 2)) * error
    value = float(after.mean() - before.mean())
    low, high = gained - lost - half, gained - lost + half
    return Estimate(value, max(low, -1.0), min(high, 1.0), LEVEL, n)


def _levels(items: Sequence[Item]) -> Iterator[tuple[int | None, np.ndarray]]:
    """Masks [n] of the items in each part of a suite: all, then each level if there are several."""
    level_N = np.array([item.level for item in items])
    yield None, np.full(len(items), True)
    if len(levels := np.unique(level_N)) > 1:
        yield from ((int(level), level_N == level) for level in levels)


def _chosen(evaluation: Evaluation, wanted: np.ndarray) -> np.ndarray:
    return np.array(evaluation.correct)[wanted]


def _share(correct: np.ndarray) -> Estimate:
    return wilson_interval(int(correct.sum()), len(correct), LEVEL)


def _forgetting(changes: Sequence[Estimate]) -> Estimate:
    """The mean loss over suites, whose items are independent."""
    mean = -fmean(change.value for change in changes)
    half = math.hypot(*((change.high - change.low) / 2 for change in changes)) / len(changes)
    n_items = sum(change.n for change in changes)
    return Estimate(mean, max(mean - half, -1.0), min(mean + half, 1.0), LEVEL, n_items)

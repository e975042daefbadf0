"""What fine-tuning costs: old skills that are lost, and what replaying old items saves.

Three parts: a report of accuracy before and after on the same items, training items mixed with old
ones, and a run that is graded on old and new skills on its way.
"""

import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional as F

from llmlab.finetune.base import load_base
from llmlab.finetune.batches import encode, epochs
from llmlab.finetune.skills import SKILLS, TOKENIZER, Item
from llmlab.finetune.suites import suite_grades
from llmlab.finetune.tuning import Tuning, grade
from llmlab.gpt.training import Evaluation, History, Point, Trainer, best_device
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
    half = float(stats.norm.ppf((1 + LEVEL) / 2)) * error
    value = float(after.mean() - before.mean())
    low, high = gained - lost - half, gained - lost + half
    return Estimate(value, max(low, -1.0), min(high, 1.0), LEVEL, n)


def _levels(items: Sequence[Item]) -> Iterator[tuple[int | None, np.ndarray]]:
    """Which items [n] each part of a suite has: all, then each level if there are several."""
    level_N = np.array([item.level for item in items])
    yield None, np.full(len(items), True)
    if len(levels := np.unique(level_N)) > 1:
        yield from ((int(level), level_N == level) for level in levels)


def _chosen(evaluation: Evaluation, wanted: np.ndarray) -> np.ndarray:
    return np.array(evaluation.correct)[wanted]


def _share(correct: np.ndarray) -> Estimate:
    return wilson_interval(int(correct.sum()), len(correct), LEVEL)


def _forgetting(changes: Sequence[Estimate]) -> Estimate:
    """The mean loss over suites, whose items are independent of one another."""
    mean = -fmean(change.value for change in changes)
    half = math.hypot(*((change.high - change.low) / 2 for change in changes)) / len(changes)
    n_items = sum(change.n for change in changes)
    return Estimate(mean, max(mean - half, -1.0), min(mean + half, 1.0), LEVEL, n_items)


def old_items(n_items: int) -> dict[str, tuple[Item, ...]]:
    """The first `n_items` test items of each of the base model's skills."""
    return {name: skill().test[:n_items] for name, skill in SKILLS.items()}


def graded_suites(
    model: nn.Module, items: Mapping[str, Sequence[Item]], device: torch.device
) -> dict[str, Evaluation]:
    """Grades of each suite, as `report` wants them."""
    return {suite: grade(model, those, device) for suite, those in items.items()}


def with_replay(new: Sequence[Item], share: float, seed: int) -> tuple[Item, ...]:
    """All new items, and so many old ones to train on that they are `share` of the whole.

    Old items are drawn from what the base model was trained on, equally from each skill.

    Raises:
        LabError: the share is not from 0 to below 1, or a skill has too few items.
    """
    if not 0 <= share < 1:
        raise LabError(f"a replay share of {share} leaves no new items: choose 0 to below 1.")
    n_old = round(len(new) * share / (1 - share))
    generator, old = random.Random(seed), []
    for index, (name, skill) in enumerate(SKILLS.items()):
        known = skill().train
        wanted = (n_old + index) // len(SKILLS)
        if wanted > len(known):
            raise LabError(
                f"replay wants {wanted} items of {name}, which has {len(known)} to train on: "
                "choose a smaller share or fewer new items."
            )
        old += generator.sample(known, wanted)
    return (*new, *old)


@dataclass(frozen=True)
class Check:
    """A look at a model in training.

    Attributes:
        step: optimizer steps done.
        new_accuracy, new_loss: on validation items of the new task; loss in nats per token.
        old_accuracy, old_loss: on old skills, mean over them.
    """

    step: int
    new_accuracy: float
    new_loss: float
    old_accuracy: float
    old_loss: float


@dataclass(frozen=True)
class Watched:
    """A fine-tuning run that was graded on its way.

    Attributes:
        checks: the first is of the base model.
    """

    model: nn.Module
    history: History
    checks: tuple[Check, ...]


def watched_run(tuning: Tuning, every: int, n_items: int) -> Watched:
    """Train as `tuned_model` does, and look every `every` steps.

    Args:
        n_items: items of each old skill in one look; of the new task it takes all validation items.
    """
    device = best_device()
    model = tuning.method.adapt(load_base(tuning.base, device), tuning.seed).to(device)
    batches = epochs(encode(tuning.task.train).to(device), tuning.batch_size, tuning.seed)
    width = encode(tuning.task.validation).tokens_NT.shape[1]
    trainer = Trainer(model, tuning.config, forward=apart(model, width))
    checks = [_check(model, 0, tuning, n_items)]

    def points() -> Iterator[Point]:
        for point in trainer.points(batches):
            yield point
            if point.is_finite and (point.step + 1) % every == 0:
                checks.append(_check(model, point.step + 1, tuning, n_items))

    history = History.of(points(), tuning.config)
    return Watched(model, history, tuple(checks))


def apart(model: nn.Module, width: int) -> Callable[[Tensor], Tensor]:
    """`model`, with rows of at most `width` tokens computed apart from longer ones.

    New items are short and replayed ones long: together, most of a batch would be padding. Logits
    beyond the width of a short row are zero, and no target counts there.
    """

    def forward(tokens_BT: Tensor) -> Tensor:
        long_B = (tokens_BT[:, width:] != TOKENIZER.PAD).any(dim=1)
        if not long_B.any():
            return _wide(model(tokens_BT[:, :width]), tokens_BT.shape[1])
        if long_B.all():
            return model(tokens_BT)
        short_bTV = _wide(model(tokens_BT[~long_B, :width]), tokens_BT.shape[1])
        logits_BTV = torch.cat([short_bTV, model(tokens_BT[long_B])])
        order_B = torch.cat([torch.nonzero(~long_B), torch.nonzero(long_B)]).flatten()
        return logits_BTV[order_B.argsort()]

    return forward


def _wide(logits_BtV: Tensor, width: int) -> Tensor:
    """Logits with zeros at the end, up to `width` tokens."""
    return F.pad(logits_BtV, (0, 0, 0, width - logits_BtV.shape[1]))


def _check(model: nn.Module, step: int, tuning: Tuning, n_items: int) -> Check:
    device = best_device()
    new = grade(model, tuning.task.validation, device)
    old = suite_grades(model, n_items, device).values()
    return Check(
        step,
        new_accuracy=new.accuracy,
        new_loss=new.loss,
        old_accuracy=fmean(grade.accuracy for grade in old),
        old_loss=fmean(grade.loss for grade in old),
    )


def at_accuracy(
    checks: Sequence[Check], target: float, quantity: Callable[[Check], float]
) -> float:
    """A quantity when the new task's accuracy first reached `target`; NaN if it never did.

    Between two looks both are taken to change linearly.
    """
    for earlier, later in itertools.pairwise(checks):
        if earlier.new_accuracy < target <= later.new_accuracy:
            way = (target - earlier.new_accuracy) / (later.new_accuracy - earlier.new_accuracy)
            return (1 - way) * quantity(earlier) + way * quantity(later)
    return math.nan


def loss_correlation(checks: Sequence[Check]) -> float:
    """Pearson's correlation of old and new loss over the looks after the first.

    -1 is the line of Kalajdzievski 2024 (arXiv 2401.05605), where what is forgotten grows in
    proportion to what the new loss falls. NaN where a loss does not change.
    """
    new, old = zip(*((check.new_loss, check.old_loss) for check in checks[1:]), strict=True)
    if len(set(new)) < 2 or len(set(old)) < 2:
        return math.nan
    return float(stats.pearsonr(new, old).statistic)

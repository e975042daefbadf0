"""A fine-tuning run that is graded on old and new skills along the way."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import scipy  # loads scipy.stats, which takes a second, only where it is used
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmlab.finetune.model.base_model import load_base_model
from llmlab.finetune.study.tuning import Tuning
from llmlab.finetune.tasks.batches import encode, epochs
from llmlab.finetune.tasks.skills import TOKENIZER
from llmlab.finetune.tasks.suites import grade, suite_grades
from llmlab.gpt.training import History, Point, Trainer, best_device


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
class TrackedRun:
    """A fine-tuning run that was graded on its way.

    Attributes:
        checks: the first is of the base model.
    """

    model: nn.Module
    history: History
    checks: tuple[Check, ...]


def tracked_run(tuning: Tuning, every: int, n_items: int, target: float = math.inf) -> TrackedRun:
    """Train as `tuned_model` does, and look every `every` steps.

    Args:
        n_items: items of each old skill in one look; of the new task it takes all validation items.
        target: ends the run at the look at which this accuracy on the validation items is reached.
    """
    device = best_device()
    model = tuning.method.adapt(load_base_model(tuning.base, device), tuning.seed).to(device)
    batches = epochs(encode(tuning.task.train).to(device), tuning.batch_size, tuning.seed)
    width = encode(tuning.task.validation).tokens_NT.shape[1]
    trainer = Trainer(model, tuning.config, forward=split_by_length(model, width))
    checks = [_check(model, 0, tuning, n_items)]

    def points() -> Iterator[Point]:
        for point in trainer.points(batches):
            yield point
            if point.is_finite and (point.step + 1) % every == 0:
                checks.append(_check(model, point.step + 1, tuning, n_items))
                if checks[-1].new_accuracy >= target:
                    return

    history = History.of(points(), tuning.config)
    return TrackedRun(model, history, tuple(checks))


def split_by_length(model: nn.Module, width: int) -> Callable[[Tensor], Tensor]:
    """`model`, with rows of at most `width` tokens computed apart from longer ones.

    New items are short and replayed ones long: together, most of a batch would be padding. Logits
    beyond the width of a short row are zero, and no target counts there.
    """

    def forward(tokens_BT: Tensor) -> Tensor:
        long_B = (tokens_BT[:, width:] != TOKENIZER.PAD).any(dim=1)
        if not long_B.any():
            return _padded(model(tokens_BT[:, :width]), tokens_BT.shape[1])
        if long_B.all():
            return model(tokens_BT)
        short_bTV = _padded(model(tokens_BT[~long_B, :width]), tokens_BT.shape[1])
        logits_BTV = torch.cat([short_bTV, model(tokens_BT[long_B])])
        order_B = torch.cat([torch.nonzero(~long_B), torch.nonzero(long_B)]).flatten()
        return logits_BTV[order_B.argsort()]

    return forward


def _padded(logits_BtV: Tensor, width: int) -> Tensor:
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
    return float(scipy.stats.pearsonr(new, old).statistic)

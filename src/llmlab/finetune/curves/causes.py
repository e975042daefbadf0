"""What went wrong, from the curves alone: a list of rules, the first that fits names the cause.

The rules look at the training loss and at the validation loss of one run and know nothing else,
above all not how the run was made. Their thresholds were fixed on pilot runs (seeds from 100 on, of
the strong dose of each cause) before the runs that test them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.curves.shapes import (
    divergence,
    early_rise,
    halfway,
    level_at_end,
    overfitting,
    plateau,
    validation_divergence,
)

HEALTHY = "healthy"


@dataclass(frozen=True)
class Signs:
    """What the rules look at, as numbers without a unit.

    Attributes:
        diverged: whether the loss ended NaN, infinite or above its start, overfitting aside.
        rise: highest validation loss in the first tenth of the run over the first one, less 1.
        rebound: validation loss at the end over its minimum, less 1; 0 where training did not go on
            falling.
        excess: training loss over validation loss in the last tenth of the run, less 1.
        halfway: share of the run that was over when the validation loss had fallen half its way.
        plateau: share of the run after which the validation loss fell by a tenth at most; 1 if that
            is within its last fifth.
        level: validation loss at the end over the first one.
    """

    diverged: bool
    rise: float
    rebound: float
    excess: float
    halfway: float
    plateau: float
    level: float


@dataclass(frozen=True)
class Rule:
    """One line of the list.

    Attributes:
        sign: what a reader sees, in words.
    """

    cause: str
    sign: str
    fits: Callable[[Signs], bool]


RULES = (
    Rule("rate too high", "the loss diverges", lambda s: s.diverged),
    Rule(
        "no warm-up",
        "the validation loss first rises above its start by a twentieth or more",
        lambda s: s.rise >= 1 / 20,
    ),
    Rule(
        "tiny data",
        "the validation loss turns and rises by a twentieth while the training loss falls on",
        lambda s: s.rebound >= 1 / 20,
    ),
    Rule(
        "label noise",
        "the training loss ends above the validation loss by a tenth or more",
        lambda s: s.excess >= 1 / 10,
    ),
    Rule(
        "rate too low",
        "half of the fall takes an eighth of the run or more: no elbow",
        lambda s: s.halfway >= 1 / 8,
    ),
    Rule(
        "rate too high",
        "before the middle of the run the loss sticks, above a twelfth of where it began",
        lambda s: s.plateau < 1 / 2 and s.level > 1 / 12,
    ),
    Rule(HEALTHY, "an elbow, then a slow fall; both losses stay together", lambda s: True),
)
"""The first rule that fits names the cause; the last fits always."""

CAUSES = tuple(dict.fromkeys(rule.cause for rule in reversed(RULES)))
"""Every cause that can be named, healthy first."""


def signs(training: Curve, validation: Curve) -> Signs:
    """What the rules look at in the two curves of one run."""
    turned = overfitting(training, validation)
    flat = plateau(validation, smallest=0.1)
    risen = early_rise(validation)
    validation_level = level_at_end(validation)
    return Signs(
        diverged=bool(divergence(training) or validation_divergence(training, validation)),
        rise=_beyond(risen.peak, risen.start) if risen else 0.0,
        rebound=_beyond(turned.last, turned.lowest) if turned else 0.0,
        excess=_beyond(level_at_end(training), validation_level),
        halfway=halfway(validation),
        plateau=flat.share if flat else 1.0,
        level=1 + _beyond(validation_level, _first_finite(validation)),
    )


def name_cause(found: Signs) -> Rule:
    """The first rule that fits."""
    return next(rule for rule in RULES if rule.fits(found))


def _first_finite(curve: Curve) -> float:
    finite = curve.finite()
    return finite.values[0] if finite else math.nan


def _beyond(value: float, reference: float) -> float:
    """How far a loss exceeds the reference, as a share of it; 0 for a loss of zero."""
    if reference:
        return value / reference - 1
    return math.inf if value > 0 else 0.0

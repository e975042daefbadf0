"""What happened in a run, at which step, with the evidence in words.

To add a finding about one loss, extend `_events`, or `_ending` if it is about how the curve ends.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmlab.finetune.curves.causes import name_cause, signs
from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.curves.extrapolation import fit_power_law
from llmlab.finetune.curves.shapes import (
    Divergence,
    Overfitting,
    divergence,
    early_rise,
    overfitting,
    plateau,
    rise,
    validation_divergence,
)
from llmlab.finetune.curves.spikes import spikes
from llmlab.finetune.curves.stretches import Stretch, not_finite, zeros
from llmlab.method.wording import counted

SHOWN = 3
"""Most findings of one kind listed for one curve; the others are counted."""

FEWEST = 5
"""Fewest points of a curve in which anything can be told from noise."""

BROKEN_ARITHMETIC = (
    "the loss or its gradient is not a usable number to the end: look for an overflow in float16, "
    "a batch in which no token is counted, or a learning rate far too high"
)

EARLY = 0.02
"""Share of a run within which the validation loss has to be known for a cause to be named."""

ENOUGH_TO_NAME = 16
"""Points of both losses from which the rules tell whether an eighth of the run is over."""


@dataclass(frozen=True)
class Finding:
    """One thing that happened.

    Attributes:
        step: None for what concerns the whole run.
        evidence: the numbers that it rests on, in words.
    """

    what: str
    step: int | None
    evidence: str


NOTHING = Finding("nothing unusual", None, "no spike, rise, plateau or value that is not a number")


def findings(
    training: Curve | None, validation: Curve | None, norm: Curve | None
) -> Iterator[Finding]:
    losses = {"training loss": training, "validation loss": validation}
    losses = {name: curve for name, curve in losses.items() if curve}
    diverged = {
        "training loss": divergence(training) if _has_number(training) else None,
        "validation loss": (
            validation_divergence(training, validation) if _has_number(validation) else None
        ),
    }
    broken = [
        *(one for name in losses for one in _broken(name, losses[name], diverged[name])),
        *(_broken("gradient norm", norm, None) if norm else ()),
    ]
    yield from broken
    longest = max(map(len, losses.values()))
    if longest < FEWEST:
        if not broken:
            evidence = f"{longest} points; {FEWEST} are needed to see a shape"
            yield Finding("too short", None, evidence)
        return
    overfit = overfitting(training, validation) if training and validation else None
    for name, curve in losses.items():
        if sound := _sound(curve):
            is_known = bool(diverged[name]) or (bool(overfit) and name == "validation loss")
            yield from _events(name, sound, falls=not is_known)
    yield from _turns(validation, overfit)
    if _is_miscomputed(training, norm):
        yield Finding("looks like: broken arithmetic", None, BROKEN_ARITHMETIC)
    elif training and validation and _can_be_named(training, validation):
        rule = name_cause(signs(training, validation))
        yield Finding(f"looks like: {rule.cause}", None, rule.sign)


def _events(name: str, curve: Curve, *, falls: bool) -> Iterator[Finding]:
    """What happened in one curve alone.

    Args:
        falls: whether nothing is known yet that keeps the loss from falling in the end.
    """
    jumps = spikes(curve)
    for spike in jumps[:SHOWN]:
        over = "never over" if spike.recovered_at is None else f"over at step {spike.recovered_at}"
        yield Finding(
            "spike",
            spike.step,
            f"{name} {short(spike.before)} → {short(spike.peak)} ({spike.z:.0f} robust standard "
            f"deviations), {over}",
        )
    if len(jumps) > SHOWN:
        yield Finding("more spikes", None, f"{len(jumps) - SHOWN} further ones in the {name}")
    if falls:
        yield from _ending(name, curve)


def _ending(name: str, curve: Curve) -> Iterator[Finding]:
    """Whether the loss ends on a rise, on a plateau, or on its way down."""
    if risen := rise(curve):
        evidence = f"{name} {short(risen.lowest)} → {short(risen.last)}, and not back"
        yield Finding("rise", risen.step, evidence)
    elif flat := plateau(curve):
        yield Finding(
            "plateau",
            flat.step,
            f"{name} stays near {short(flat.level)}: the {short(flat.left)} that it still falls "
            f"by is no more than {short(flat.tolerance)}, which noise explains",
        )
    elif law := fit_power_law(curve):
        ahead = law.at(2 * curve.steps[-1])
        yield Finding(
            "still falling",
            curve.steps[-1],
            f"a power law towards {short(law.a)} fits the {name}; at step {ahead.step} it says "
            f"{short(ahead.value)} ({short(ahead.low)} to {short(ahead.high)}, 95 %)",
        )


def _turns(validation: Curve | None, overfit: Overfitting | None) -> Iterator[Finding]:
    """Where the validation loss rises: at the start, or while the training loss falls."""
    if validation and (found := early_rise(validation)):
        yield Finding(
            "rise at the start",
            found.step,
            f"validation loss {short(found.start)} → {short(found.peak)} before it falls",
        )
    if overfit:
        yield Finding(
            "overfitting",
            overfit.step,
            f"validation loss {short(overfit.lowest)} → {short(overfit.last)}, while training "
            f"loss {short(overfit.training_then)} → {short(overfit.training_last)}",
        )


def _broken(name: str, curve: Curve, diverged: Divergence | None) -> Iterator[Finding]:
    """Where the curve diverged, is not a number or is zero, which no loss becomes at once."""
    if diverged:
        evidence = f"{name} {short(diverged.lowest)} → {short(diverged.last)}, and not back"
        yield Finding("divergence", diverged.step, evidence)
    is_lost = diverged and not math.isfinite(diverged.last)
    stretches = [s for s in not_finite(curve) if not is_lost or s.last < diverged.step]
    yield from _stretches("not finite", name, "not finite", stretches)
    if name != "gradient norm":
        yield from _stretches("zero loss", name, "exactly 0", zeros(curve))


def _stretches(what: str, name: str, state: str, stretches: Sequence[Stretch]) -> Iterator[Finding]:
    for one in stretches[:SHOWN]:
        value = "" if one.value == 0 else f" ({short(one.value)})"
        yield Finding(what, one.first, f"{name} is {state}{value} {_extent(one)}")
    others = stretches[SHOWN:]
    if others:
        points = sum(one.points for one in others)
        evidence = (
            f"{counted(len(others), 'further time')} in the {name}, {counted(points, 'point')}"
        )
        yield Finding(f"{what} again", others[0].first, evidence)


def _extent(stretch: Stretch) -> str:
    points = counted(stretch.points, "point")
    if stretch.over_at is None:
        return f"from step {stretch.first} to the end ({points})"
    where = f"at step {stretch.first}"
    if stretch.points > 1:
        where = f"from step {stretch.first} to {stretch.last}"
    return f"{where} ({points}) and recovers at step {stretch.over_at}"


def _sound(curve: Curve) -> Curve | None:
    """The points that tell a shape: finite, and not zero for want of a computed loss."""
    for stretch in zeros(curve):
        outside = [
            point
            for point in zip(curve.steps, curve.values, strict=True)
            if not stretch.first <= point[0] <= stretch.last
        ]
        if not outside:
            return None
        curve = Curve.of(outside)
    return curve.finite()


def _has_number(curve: Curve | None) -> bool:
    """Whether there is a finite value: a loss that never was a number cannot diverge."""
    return curve is not None and curve.finite() is not None


def _is_miscomputed(training: Curve | None, norm: Curve | None) -> bool:
    """Whether the loss never is a number, or ends finite with unusable values or gradients."""
    if training is None or not math.isfinite(training.values[-1]):
        return training is not None and not _has_number(training)
    ends = [*zeros(training), *(not_finite(norm) if norm else ())]
    return any(one.over_at is None and one.points > 1 for one in ends)


def _can_be_named(training: Curve, validation: Curve) -> bool:
    """Whether the rules can tell a cause: they look closely at the first steps of both losses."""
    span = training.steps[-1] - training.steps[0]
    in_time = validation.steps[0] - training.steps[0] <= EARLY * span
    return in_time and min(len(training), len(validation)) >= ENOUGH_TO_NAME


def short(value: float) -> str:
    return f"{value:.3g}"

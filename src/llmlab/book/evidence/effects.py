"""The effect of a verdict and its claim, in words and as a drawing."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from llmlab.book import markup, numbers, style
from llmlab.method.judging.ledger import Hypothesis
from llmlab.method.judging.verdict import Verdict, claimed_region
from llmlab.method.levels import label


def effect_text(verdict: Verdict) -> str:
    """The effect with sign and unit."""
    return amount(verdict, verdict.judgement.effect)


def bracketed_text(verdict: Verdict) -> str:
    """The effect in words that need no heading: `+2.0 points`, `62.0 % against 50.0 %`."""
    hypothesis, found = verdict.hypothesis, verdict.judgement
    if hypothesis.claim == "monotone":
        return f"rank correlation {effect_text(verdict)}"
    if hypothesis.claim == "interval":
        return f"best: {effect_text(verdict)}"
    if hypothesis.reference:
        measured = found.effect + hypothesis.reference
        ends = (numbers.number(x, found.unit) for x in (measured, hypothesis.reference))
        return " against ".join(ends)
    return effect_text(verdict)


def interval_text(verdict: Verdict) -> str:
    """The interval of the effect, with n."""
    found = verdict.judgement
    level = f"{100 * found.level:.0f} %"
    return f"{level} interval {ends_text(verdict)}, {numbers.sample(found.n)} seeds"


def ends_text(verdict: Verdict) -> str:
    """Both ends of the interval, with the unit once."""
    found = verdict.judgement
    if verdict.hypothesis.claim == "interval":
        low, high = numbers.level(found.low), numbers.level(found.high)
        return f"{low} to {high}{numbers.suffix(found.unit)}"
    if verdict.hypothesis.claim == "monotone":
        return f"{numbers.correlation(found.low)} to {numbers.correlation(found.high)}"
    return numbers.changes(found.low, found.high, found.unit)


def claim_text(hypothesis: Hypothesis, unit: str) -> str:
    """The claim about the effect, such as "above +2.0 points"."""
    low, high = claimed_region(hypothesis)
    if np.isinf(high):
        return f"above {declared(hypothesis, low, unit)}"
    if np.isinf(low):
        return f"below {declared(hypothesis, high, unit)}"
    if hypothesis.claim == "equivalent":
        return f"within ±{numbers.declared(high, unit)}"
    return f"from {numbers.level(low)} to {numbers.level(high)}{numbers.suffix(unit)}"


def declared(hypothesis: Hypothesis, edge: float, unit: str) -> str:
    """An end of the claimed region with its sign, with the digits of its registration."""
    if hypothesis.claim == "interval":
        return numbers.level(edge) + numbers.suffix(unit)
    return ("+" if edge > 0 else "") + numbers.declared(edge, unit)


def amount(verdict: Verdict, x: float) -> str:
    """A number on the scale of the effect: a level, a rank correlation or a signed difference."""
    claim, unit = verdict.hypothesis.claim, verdict.judgement.unit
    if claim == "interval":
        return numbers.level(x) + numbers.suffix(unit)
    return numbers.correlation(x) if claim == "monotone" else numbers.change(x, unit)


def difference_name(hypothesis: Hypothesis, unit: str) -> str:
    """The name of a difference between conditions, or of a metric's distance from a number."""
    name = label(hypothesis.metric)
    if hypothesis.reference is None:
        return f"difference in {name}"
    if hypothesis.reference == 0:
        return name
    return f"{name} minus {numbers.number(hypothesis.reference, unit)}"


def quantity(verdict: Verdict) -> str:
    """What the effect of a judged hypothesis is: a difference, a best level or a correlation."""
    hypothesis = verdict.hypothesis
    names: Mapping[str, str] = {
        "monotone": f"rank correlation of {label(hypothesis.metric)} "
        f"with {label(str(hypothesis.along))}",
        "interval": f"best {label(str(hypothesis.best))}",
    }
    return names.get(hypothesis.claim) or difference_name(hypothesis, verdict.judgement.unit)


def drawing(verdict: Verdict) -> str:
    """The effect with its interval beside the claim, as an image."""
    if verdict.judgement is None:
        return ""
    figure, axes = style.subplots(height=1.5)
    found = verdict.judgement
    scale = 100.0 if found.unit in numbers.SHARES else 1.0
    claim = [scale * end for end in claimed_region(verdict.hypothesis)]
    shown = [scale * x for x in (found.low, found.high, *found.per_seed)]
    shown += [end for end in claim if np.isfinite(end)]
    if verdict.hypothesis.claim == "interval":
        _set_levels(axes, verdict, shown)
    else:
        _set_differences(axes, shown)
    _draw_claim(axes, *claim)
    _draw_effect(axes, verdict, scale)
    axes.set_ylim(-1, 1)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(_axis_label(verdict), fontsize=9.5)
    alternative = markup.attribute(_alternative(verdict))
    return f'![]({style.svg_uri(figure)}){{alt="{alternative}"}}'


def _alternative(verdict: Verdict) -> str:
    claim = claim_text(verdict.hypothesis, verdict.judgement.unit)
    return f"Effect {effect_text(verdict)}, {interval_text(verdict)}; the claim: {claim}."


def _set_differences(axes: Axes, shown: Sequence[float]) -> None:
    """Set a linear axis around zero and everything shown."""
    low, high = min([*shown, 0.0]), max([*shown, 0.0])
    room = 0.15 * (high - low or 1.0)
    axes.set_xlim(low - room, high + room)
    axes.axvline(0, color=style.MUTED, linewidth=0.8)


def _set_levels(axes: Axes, verdict: Verdict, shown: Sequence[float]) -> None:
    """Set an axis with a tick at each level tried."""
    axis = str(verdict.hypothesis.best)
    levels = [float(side.condition[axis]) for side in verdict.judgement.sides]
    low, high = min([*shown, *levels]), max([*shown, *levels])
    if low > 0:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.5, high * 1.5)
    axes.set_xticks(levels, [numbers.level(level) for level in levels], fontsize=8.5)
    axes.set_xticks([], minor=True)


def _draw_claim(axes: Axes, low: float, high: float) -> None:
    """Shade the claimed effects and name them above; an open end runs to the drawing's edge."""
    left, right = axes.get_xlim()
    shaded = max(low, left), min(high, right)
    axes.axvspan(*shaded, color=style.GREEN, alpha=0.13, linewidth=0)
    for end in filter(np.isfinite, (low, high)):
        axes.axvline(end, color=style.GREEN, linestyle="--", linewidth=1.2)
    middle = np.sqrt(np.prod(shaded)) if axes.get_xscale() == "log" else np.mean(shaded)
    axes.annotate(
        "claimed",
        (middle, 1),
        (0, 2),
        xycoords=axes.get_xaxis_transform(),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=8.5,
        color=style.VERDICT_COLOURS["SUPPORTED"],
    )


def _draw_effect(axes: Axes, verdict: Verdict, scale: float) -> None:
    """Draw the seeds as faint dots, the interval as a bar, the effect as a point."""
    colour, found = style.VERDICT_COLOURS[verdict.word], verdict.judgement
    seeds = [scale * x for x in found.per_seed]
    axes.plot(seeds, [-0.6] * len(seeds), ".", color=style.MUTED, alpha=0.5, markersize=5)
    axes.plot(
        [scale * found.low, scale * found.high],
        [0, 0],
        color=colour,
        linewidth=3.5,
        solid_capstyle="butt",
    )
    axes.plot([scale * found.effect], [0], "o", color=colour, markersize=9)


def _axis_label(verdict: Verdict) -> str:
    if verdict.hypothesis.claim == "monotone":
        return quantity(verdict)
    unit = verdict.judgement.unit
    return quantity(verdict) + (" (points)" if unit in numbers.SHARES else numbers.bracket(unit))

"""The box of a verdict: a word, the effect drawn against the claim, and all that backs it."""

import bisect
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from llmlab.book import markup, numbers, style
from llmlab.book.readings import condition_text, label
from llmlab.method import statistics
from llmlab.method.ledger import Hypothesis
from llmlab.method.verdicts import Verdict

MOST_SEEDS = 1000
"""Beyond this many seeds we say only that more would be needed."""


def verdict_box(verdict: Verdict) -> str:
    """The verdict on one hypothesis, in Markdown."""
    hypothesis = verdict.hypothesis
    return markup.box(
        ["verdict", verdict.word.lower()],
        [
            hypothesis.statement,
            _finding(verdict),
            _drawing(verdict),
            _facts(verdict),
            _alarms(verdict),
            f"**What would change our mind.** {change_of_mind(verdict)}",
            markup.details("Why we expected it", hypothesis.reason),
        ],
        label=hypothesis.id,
        title=hypothesis.title,
    )


def verdict_badge(verdict: Verdict) -> str:
    """The word of a verdict with its sign and colour."""
    return markup.badge(verdict.word.capitalize(), verdict.word.lower())


def effect_span(verdict: Verdict) -> str:
    """The effect of a verdict with its provenance."""
    return markup.value_span(
        effect_text(verdict),
        f"{interval_text(verdict)}; {verdict.hypothesis.id}, {_evidence(verdict)}",
    )


def effect_text(verdict: Verdict) -> str:
    """The effect with sign and unit."""
    return amount(verdict, verdict.effect)


def interval_text(verdict: Verdict) -> str:
    """The interval of the effect, with n."""
    return f"{100 * verdict.level:.0f} % interval {ends_text(verdict)}, n = {verdict.n} seeds"


def ends_text(verdict: Verdict) -> str:
    """Both ends of the interval, the unit said once."""
    unit = str(verdict.unit)
    if verdict.hypothesis.claim == "interval":
        low, high = numbers.level(verdict.low), numbers.level(verdict.high)
        return f"{low} to {high}{numbers.suffix(unit)}"
    return numbers.changes(verdict.low, verdict.high, unit)


def claim_text(hypothesis: Hypothesis, unit: str) -> str:
    """What was claimed of the effect, as "above +2.0 points"."""
    low, high = claimed_region(hypothesis)
    if np.isinf(high):
        return f"above {_of_claim(hypothesis, low, unit)}"
    if np.isinf(low):
        return f"below {_of_claim(hypothesis, high, unit)}"
    if hypothesis.claim == "equivalent":
        return f"within ±{_of_claim(hypothesis, high, unit).lstrip('+')}"
    return f"from {numbers.level(low)} to {numbers.level(high)}{numbers.suffix(unit)}"


def claimed_region(hypothesis: Hypothesis) -> tuple[float, float]:
    """The effects for which the claim is true, as an open or closed interval."""
    margin = hypothesis.margin
    if hypothesis.claim == "interval":
        return hypothesis.interval or (-np.inf, np.inf)
    if hypothesis.claim == "equivalent":
        return -margin, margin
    return (margin, np.inf) if hypothesis.claims_more else (-np.inf, -margin)


def change_of_mind(verdict: Verdict) -> str:
    """The evidence that would turn this verdict, computed from its own interval."""
    hypothesis = verdict.hypothesis
    if verdict.effect is None:
        return "Any evidence at laptop or gpu scale: so far there is none."
    if hypothesis.claim == "interval":
        return _other_levels(verdict)
    if verdict.word in ("UNDECIDED", "UNTESTED"):
        return _seeds_to_decide(verdict)
    half = (verdict.high - verdict.low) / 2
    low, high = claimed_region(hypothesis)
    edge = min((low, high), key=lambda end: abs(end - verdict.effect))
    threshold = edge + half if verdict.effect > edge else edge - half
    direction = "below" if verdict.effect > edge else "above"
    return (
        f"A rerun whose effect lies {direction} {amount(verdict, threshold)} with the same spread "
        f"over seeds: its interval would cross {amount(verdict, edge)}."
    )


def _other_levels(verdict: Verdict) -> str:
    """What the levels of a sweep would have to do to turn a verdict on the best of them."""
    axis = label(str(verdict.hypothesis.best))
    if verdict.word == "UNDECIDED":
        return (
            f"Runs in which one {axis} inside the claimed interval beats every one outside, seed "
            "by seed, or one outside beats every one inside."
        )
    side = "outside" if verdict.word == "SUPPORTED" else "inside"
    return f"A rerun in which some {axis} {side} the claimed interval is as good as the best."


def _seeds_to_decide(verdict: Verdict) -> str:
    """How many seeds a test would need to tell the effect from the nearest edge of the claim."""
    edges = [end for end in claimed_region(verdict.hypothesis) if np.isfinite(end)]
    distance = min(abs(verdict.effect - end) for end in edges)
    spread = float(np.std(verdict.per_seed, ddof=1))
    if spread == 0:
        return "Seeds that differ: all gave the same effect, so its spread is unknown."
    needed = seeds_needed(distance, spread, verdict.hypothesis.alpha)
    if needed is None:
        return f"So close to the edge of the claim even {MOST_SEEDS} paired seeds would not decide."
    return (
        f"If the effect stays where it is, about {needed} paired seeds would decide "
        "(one test, 80 % power)."
    )


def seeds_needed(distance: float, spread: float, alpha: float) -> int | None:
    """The fewest seeds that find `distance` with 80 % power; None beyond `MOST_SEEDS`."""

    def finds(n: int) -> bool:
        return statistics.detectable_effect(spread, n, alpha) <= distance

    if not finds(MOST_SEEDS):
        return None
    return bisect.bisect_left(range(MOST_SEEDS), True, lo=3, key=finds)


def _finding(verdict: Verdict) -> str:
    if verdict.effect is None:
        return verdict.reason
    what = {
        "monotone": f"Rank correlation of {label(verdict.hypothesis.metric)} with "
        f"{label(str(verdict.hypothesis.along))}",
        "interval": f"Best {label(str(verdict.hypothesis.best))}",
    }.get(verdict.hypothesis.claim, _difference(verdict.hypothesis))
    claim = claim_text(verdict.hypothesis, str(verdict.unit))
    found = f"**{what}: {effect_text(verdict)}** ({interval_text(verdict)}); claimed was {claim}."
    return f"{found} {_why_not(verdict)}".strip()


def _difference(hypothesis: Hypothesis) -> str:
    """What the effect of a comparison is: between two conditions, or from a fixed number."""
    name = f"Difference in {label(hypothesis.metric)}"
    if hypothesis.reference is None:
        return name
    return f"{name} from {numbers.bare(hypothesis.reference)}"


def _why_not(verdict: Verdict) -> str:
    """Why numbers that look decisive are not."""
    if verdict.scale == "smoke":
        return "These are smoke runs, which prove that the code runs and are no evidence."
    return "The runs do not decide." if verdict.word == "UNDECIDED" else ""


def _facts(verdict: Verdict) -> str:
    rows = {
        "Compared": _sides(verdict),
        "Test": _test(verdict),
        "Could have seen": _detectable(verdict),
        "Evidence": f"{_evidence(verdict)}; {verdict.hardware}" if verdict.scale else "",
        "Registered": verdict.registration.text.removeprefix("Registered in "),
        "Smoke rerun": verdict.smoke,
    }
    return markup.pipe_table(["", ""], [[f"**{key}**", text] for key, text in rows.items() if text])


def _sides(verdict: Verdict) -> str:
    if verdict.sides and verdict.hypothesis.swept:
        return f"{len(verdict.sides)} levels of {label(verdict.hypothesis.swept)}"
    return "; ".join(
        f"{side.name}: {condition_text(side.condition)} "
        f"(mean {numbers.number(side.mean, str(verdict.unit))})"
        for side in verdict.sides
    )


def _test(verdict: Verdict) -> str:
    if verdict.test is None:
        return ""
    side = "of the opposite, " if verdict.word == "REFUTED" else ""
    return (
        f"{verdict.test}, over n = {verdict.n} seeds, whose runs are pairs; "
        f"{side}{numbers.p_value(verdict.p_value)}, "
        f"adjusted {numbers.p_value(verdict.p_adjusted)}, α = {verdict.hypothesis.alpha:g}"
    )


def _detectable(verdict: Verdict) -> str:
    if verdict.detectable is None:
        return ""
    size = amount(verdict, verdict.detectable).lstrip("+")
    if verdict.hypothesis.claim == "equivalent":
        return f"equivalence within a margin of {size} (80 % power)"
    return f"an effect {size} beyond the margin (80 % power)"


def _evidence(verdict: Verdict) -> str:
    if verdict.scale is None:
        return ""
    stale = f"; **stale**, changed since: {', '.join(verdict.changes)}" if verdict.changes else ""
    return (
        f"{verdict.hypothesis.experiment} at {verdict.scale} scale, {verdict.origin}, "
        f"commit {str(verdict.commit)[:7]}, {str(verdict.date)[:10]}{stale}"
    )


def _alarms(verdict: Verdict) -> str:
    if not verdict.alarms:
        return ""
    return "**Beware.**\n\n" + markup.bullets(verdict.alarms)


def amount(verdict: Verdict, x: float | None) -> str:
    """A number on the scale of the effect, with sign and unit."""
    if x is None:
        return ""
    return _of_claim(verdict.hypothesis, x, str(verdict.unit))


def _of_claim(hypothesis: Hypothesis, x: float, unit: str) -> str:
    """A number on the scale of the effect: a level, a rank correlation or a difference."""
    if hypothesis.claim == "interval":
        return numbers.level(x) + numbers.suffix(unit)
    return numbers.change(x, unit)


def _drawing(verdict: Verdict) -> str:
    """The effect with its interval against the claim, as an image."""
    if verdict.effect is None:
        return ""
    figure, axes = style.subplots(height=1.35)
    scale = 100.0 if verdict.unit in numbers.SHARES else 1.0
    claim = [scale * end for end in claimed_region(verdict.hypothesis)]
    shown = [scale * x for x in (verdict.low, verdict.high, *verdict.per_seed)]
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
    claim = claim_text(verdict.hypothesis, str(verdict.unit))
    return f"Effect {effect_text(verdict)}, {interval_text(verdict)}; claimed is an effect {claim}."


def _set_differences(axes: Axes, shown: Sequence[float]) -> None:
    """An even axis around everything shown and zero."""
    low, high = min([*shown, 0.0]), max([*shown, 0.0])
    room = 0.15 * (high - low or 1.0)
    axes.set_xlim(low - room, high + room)
    axes.axvline(0, color=style.MUTED, linewidth=0.8)


def _set_levels(axes: Axes, verdict: Verdict, shown: Sequence[float]) -> None:
    """An axis with a tick at each level that was tried."""
    levels = [float(side.condition[str(verdict.hypothesis.best)]) for side in verdict.sides]
    low, high = min([*shown, *levels]), max([*shown, *levels])
    if low > 0:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.5, high * 1.5)
    axes.set_xticks(levels, [numbers.level(level) for level in levels], fontsize=8.5)
    axes.set_xticks([], minor=True)


def _draw_claim(axes: Axes, low: float, high: float) -> None:
    """The claimed effects as a shaded band that runs off the drawing where it is open."""
    left, right = axes.get_xlim()
    axes.axvspan(max(low, left), min(high, right), color=style.GREEN, alpha=0.13, linewidth=0)
    for end in filter(np.isfinite, (low, high)):
        axes.axvline(end, color=style.GREEN, linestyle="--", linewidth=1.2)
    text = {"va": "top", "fontsize": 8.5, "color": style.VERDICT_COLOURS["SUPPORTED"]}
    if np.isfinite(low):
        axes.text(low, 0.95, " claimed", ha="left", **text)
    else:
        axes.text(high, 0.95, "claimed ", ha="right", **text)


def _draw_effect(axes: Axes, verdict: Verdict, scale: float) -> None:
    """The seeds as faint dots, the interval as a bar, the effect as a point."""
    colour = style.VERDICT_COLOURS[verdict.word]
    seeds = [scale * x for x in verdict.per_seed]
    axes.plot(seeds, [-0.6] * len(seeds), ".", color=style.MUTED, alpha=0.5, markersize=5)
    axes.plot(
        [scale * verdict.low, scale * verdict.high],
        [0, 0],
        color=colour,
        linewidth=3.5,
        solid_capstyle="butt",
    )
    axes.plot([scale * verdict.effect], [0], "o", color=colour, markersize=9)


def _axis_label(verdict: Verdict) -> str:
    hypothesis = verdict.hypothesis
    unit = " (points)" if verdict.unit in numbers.SHARES else numbers.bracket(str(verdict.unit))
    names: Mapping[str, str] = {
        "monotone": f"rank correlation of {label(hypothesis.metric)} "
        f"with {label(str(hypothesis.along))}",
        "interval": f"best {label(str(hypothesis.best))}{unit}",
    }
    return names.get(hypothesis.claim, f"difference in {label(hypothesis.metric)}{unit}")

"""The box of a verdict: its word, the effect beside the claim, and the supporting facts."""

import bisect
from collections.abc import Sequence

import numpy as np

from llmlab.book import markup, numbers
from llmlab.book.evidence import readings
from llmlab.book.evidence.effects import (
    amount,
    bracketed_text,
    claim_text,
    declared,
    drawing,
    effect_text,
    interval_text,
    quantity,
)
from llmlab.book.evidence.origins import hardware
from llmlab.book.evidence.readings import condition_text
from llmlab.method.declare.catalog import load_experiment
from llmlab.method.documents import listed
from llmlab.method.judging import statistics
from llmlab.method.judging.journal import RULES, table_key
from llmlab.method.judging.scope import Scope
from llmlab.method.judging.verdict import SIGNS, Verdict, claimed_region
from llmlab.method.levels import label

MOST_SEEDS = 1000
"""Largest number of seeds that is suggested; beyond it, the text says that no number decides."""


def verdict_box(verdict: Verdict) -> str:
    """The verdict on one hypothesis, in Markdown."""
    hypothesis = verdict.hypothesis
    return markup.box(
        _classes(verdict),
        [
            hypothesis.statement,
            _finding(verdict),
            drawing(verdict),
            _facts(verdict),
            _alarms(verdict),
            f"**What would change our mind.** {change_of_mind(verdict)}",
            markup.details("Why we expected it", hypothesis.reason),
        ],
        label=hypothesis.id,
        title=hypothesis.title,
    )


def _classes(verdict: Verdict) -> list[str]:
    return ["verdict", verdict.word.lower(), *(["check"] if verdict.is_check else [])]


def verdict_badge(verdict: Verdict) -> str:
    """The word of a verdict with its sign and colour; marks a check as such."""
    kind = "Check: " if verdict.is_check else ""
    return markup.badge(f"{kind}{verdict.word.capitalize()}", verdict.word.lower())


def effect_span(verdict: Verdict) -> str:
    """The effect of a verdict with its provenance."""
    return markup.value_span(effect_text(verdict), _origin(verdict))


def bracketed_effect(verdict: Verdict) -> str:
    """The effect with its provenance, in words that need no heading."""
    effect = f"{quantity(verdict)} {effect_text(verdict)}"
    return markup.value_span(bracketed_text(verdict), f"{effect}, {_origin(verdict)}")


def _origin(verdict: Verdict) -> str:
    """The interval of an effect, and where it comes from."""
    return f"{interval_text(verdict)}; {verdict.hypothesis.id}, {_evidence(verdict)}"


def change_of_mind(verdict: Verdict) -> str:
    """The evidence that would reverse this verdict, computed from its own interval."""
    hypothesis = verdict.hypothesis
    if verdict.judgement is None:
        return "Any evidence at laptop or gpu scale; so far there is none."
    if hypothesis.claim == "interval":
        return _other_levels(verdict)
    if verdict.judgement.open_end:
        return f"Further runs: {verdict.judgement.open_end}."
    if verdict.word in ("UNDECIDED", "UNTESTED"):
        return _seeds_to_decide(verdict)
    found = verdict.judgement
    half = (found.high - found.low) / 2
    edge = min(claimed_region(hypothesis), key=lambda end: abs(end - found.effect))
    threshold = edge + half if found.effect > edge else edge - half
    direction = "below" if found.effect > edge else "above"
    if hypothesis.claim == "monotone":  # a correlation half an interval further may not exist
        return f"A rerun whose effect lies {direction} {declared(hypothesis, edge, found.unit)}."
    return (
        f"A rerun whose effect lies {direction} {amount(verdict, threshold)} with the same spread "
        f"over seeds: its interval would cross {declared(hypothesis, edge, found.unit)}."
    )


def _other_levels(verdict: Verdict) -> str:
    """The results of a sweep that would reverse a verdict on its best level."""
    axis = label(str(verdict.hypothesis.best))
    if verdict.word == "UNDECIDED":
        return (
            f"Runs in which one {axis} inside the claimed interval beats every one outside, paired "
            "by seed, or one outside beats every one inside."
        )
    side = "outside" if verdict.word == "SUPPORTED" else "inside"
    return f"A rerun in which some {axis} {side} the claimed interval is as good as the best."


def _seeds_to_decide(verdict: Verdict) -> str:
    """How many seeds a test needs to distinguish the effect from the nearest edge of the claim."""
    edges = [end for end in claimed_region(verdict.hypothesis) if np.isfinite(end)]
    distance = min(abs(verdict.judgement.effect - end) for end in edges)
    spread = float(np.std(verdict.judgement.per_seed, ddof=1))
    if spread == 0:
        return "Seeds that differ: all gave the same effect, so its spread is unknown."
    next_look = statistics.spending(len(verdict.looks) + 1)
    needed = seeds_needed(distance, spread, verdict.hypothesis.alpha / next_look)
    if needed is None:
        return (
            f"This close to the edge of the claim, even {MOST_SEEDS:,} paired seeds do not decide."
        )
    if needed <= verdict.judgement.n:
        return (
            "More seeds. A t test of this claim alone would have found this effect with the "
            "present seeds, but the correction for other tests, or the number of seeds required "
            "for this kind of outcome, prevents a decision."
        )
    return (
        f"If the effect stays the same, about {needed} paired seeds would decide "
        "(one test, one more look, 80 % power)."
    )


def seeds_needed(distance: float, spread: float, alpha: float) -> int | None:
    """The fewest seeds that detect `distance` with 80 % power; None beyond `MOST_SEEDS`."""

    def finds(n: int) -> bool:
        return statistics.detectable_effect(spread, n, alpha) <= distance

    if not finds(MOST_SEEDS):
        return None
    return bisect.bisect_left(range(MOST_SEEDS), True, lo=3, key=finds)


def _finding(verdict: Verdict) -> str:
    if verdict.judgement is None:
        return verdict.reason
    claim = claim_text(verdict.hypothesis, verdict.judgement.unit)
    found = (
        f"**{_capitalised(quantity(verdict))}: {effect_text(verdict)}** ({interval_text(verdict)})"
    )
    return f"{found}; the claim: {claim}. {_why_not(verdict)}".strip()


def _why_not(verdict: Verdict) -> str:
    """Why numbers that look decisive do not decide."""
    if verdict.scale == "smoke":
        return "These are smoke runs: they show that the code runs, but they are not evidence."
    if verdict.word != "UNDECIDED":
        return ""
    if verdict.judgement.open_end:
        return f"This is not decisive: {verdict.judgement.open_end}."
    found = verdict.judgement
    p_values = [p for p in (found.p_supported, found.p_refuted) if p is not None]
    if min(p_values, default=1.0) <= verdict.hypothesis.alpha:
        return "This test alone would decide; with the corrections in the table it does not."
    return "The runs do not decide."


def _facts(verdict: Verdict) -> str:
    rows = {
        **(_tested(verdict) if verdict.judgement else {}),
        **(_made(verdict) if verdict.manifest else {}),
        "Registered": verdict.registration.text.removeprefix("Registered in "),
        "Smoke rerun": verdict.smoke,
    }
    return markup.pipe_table(["", ""], [[f"**{key}**", text] for key, text in rows.items() if text])


def _tested(verdict: Verdict) -> dict[str, str]:
    return {
        "Compared": _sides(verdict),
        "Test": _test(verdict),
        "May be best": _rivals(verdict),
        "Resampled seeds": _second_opinion(verdict),
        "Detectable": _detectable(verdict),
    }


def _made(verdict: Verdict) -> dict[str, str]:
    return {
        "Holds for": scope_text(verdict.scope) if verdict.scope else "",
        "Looks": _looks(verdict.looks),
        "Formerly": _former(verdict),
        "Evidence": f"{_evidence(verdict)}; {hardware(verdict.manifest.device)}",
    }


def _sides(verdict: Verdict) -> str:
    found = verdict.judgement
    if verdict.hypothesis.swept:
        return f"{len(found.sides)} levels of {label(verdict.hypothesis.swept)}"
    metric = readings.find_metric(
        load_experiment(verdict.hypothesis.experiment), verdict.hypothesis.metric
    )
    return "; ".join(
        f"{side.name}: {condition_text(side.condition)} (mean {readings.amount(metric, side.mean)})"
        for side in found.sides
    )


def _test(verdict: Verdict) -> str:
    found, adjusted = verdict.judgement, verdict.adjusted
    if found.p_supported is None:
        return f"{found.test}, {numbers.sample(found.n)} seeds"
    pairing = ", paired" if verdict.hypothesis.reference is None else ""
    side, p_value, p_adjusted = min(
        ("", found.p_supported, adjusted.supported),
        ("for the opposite, ", found.p_refuted, adjusted.refuted),
        key=lambda each: each[1],
    )
    return (
        f"{verdict.test}; {numbers.sample(found.n)} seeds{pairing}; "
        f"{side}{numbers.p_value(p_value)}, "
        f"adjusted {numbers.p_value(p_adjusted)}, α = {verdict.hypothesis.alpha:g}"
    )


def _looks(looks: Sequence[int]) -> str:
    """The looks at these runs; empty if there was only one."""
    if len(looks) < 2:
        return ""
    earlier = ", then ".join(map(str, looks[:-1]))
    return (
        f"{len(looks)}: at {earlier}, now at {looks[-1]} seeds; "
        f"p values are multiplied by {statistics.spending(len(looks))}"
    )


def scope_text(scope: Scope) -> str:
    """The model and data that the verdict holds for."""
    size = f" ({parameters_text(scope)})" if scope.parameters else ""
    several = f", {scope.base_seeds} base models"
    bases = {0: "", 1: ", one base model"}.get(scope.base_seeds, several)
    return f"{scope.model}{size}{bases}; {scope.data}"


def parameters_text(scope: Scope) -> str:
    """The smallest and largest parameter count, which must be known."""
    least, most = (f"{each:,}" for each in scope.parameters)
    return f"{least} parameters" if least == most else f"{least} to {most} parameters"


def _former(verdict: Verdict) -> str:
    """Verdicts on earlier tables and, where they differ, by former rules; the latest first."""
    lines = []
    for entry in reversed(verdict.former):
        if entry.table != table_key(verdict.manifest.sha256):
            judged = f"on {entry.seeds} seeds of an earlier table"
        elif entry.word != verdict.word:
            judged = f"on these runs by former rules ({RULES[entry.rules]})"
        else:
            continue
        lines.append(f"{SIGNS[entry.word]} {entry.word.capitalize()} {judged}, {entry.date}")
    return "; ".join(dict.fromkeys(lines))


def _rivals(verdict: Verdict) -> str:
    """The tuned levels that another draw of seeds might choose."""
    found = [
        f"{side.name} also {' or '.join(side.rivals)}"
        for side in verdict.judgement.sides
        if side.rivals
    ]
    tuned = " and ".join(map(label, verdict.hypothesis.tuned))
    return f"{tuned} of {'; '.join(found)}: the verdict holds at each" if found else ""


def _second_opinion(verdict: Verdict) -> str:
    """The bootstrap interval; each resample chooses tuned levels again."""
    found = verdict.judgement
    if found.second_opinion is None:
        return ""
    chosen = ", levels chosen again each time" if verdict.hypothesis.tuned else ""
    low, high = found.second_opinion
    ends = numbers.changes(low, high, found.unit)
    return f"{100 * found.level:.0f} % bootstrap interval {ends}{chosen}"


def _detectable(verdict: Verdict) -> str:
    if verdict.detectable is None:
        return ""
    size = amount(verdict, verdict.detectable).lstrip("+")
    if verdict.hypothesis.claim == "equivalent":
        return f"equivalence within a margin of {size} (80 % power)"
    return f"an effect {size} beyond the margin (80 % power)"


def _evidence(verdict: Verdict) -> str:
    standing = "" if verdict.state == "current" else f"; {verdict.state}"
    if verdict.changes:
        standing = f"; **stale**, changed since: {listed(verdict.changes, 4)}"
    return (
        f"{verdict.hypothesis.experiment} at {verdict.scale} scale, {verdict.origin}, "
        f"commit {verdict.manifest.git_commit[:7]}, {verdict.manifest.finished[:10]}{standing}"
    )


def _alarms(verdict: Verdict) -> str:
    if not (verdict.judgement and verdict.judgement.alarms):
        return ""
    alarms = [f"{_capitalised(alarm)}." for alarm in verdict.judgement.alarms]
    return f"**Caution.** {' '.join(alarms)}"


def _capitalised(text: str) -> str:
    """A text with a capital letter at its start; the others stay as they are."""
    return text[:1].upper() + text[1:]

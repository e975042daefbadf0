"""The verdict on one hypothesis: its word, the reason for it, and all that it is based on.

A hypothesis is SUPPORTED if its claim is significant at alpha after all `corrections`, REFUTED if
the opposite of its claim is, and UNDECIDED otherwise.

If the best level of a tuned axis is at the edge of its grid, the verdict is UNDECIDED until the
grid is extended. It is also UNDECIDED if all sides of a share lie at its floor or its ceiling,
unless the claim points away from that end. A check follows from arithmetic or is too obvious to be
a finding: every seed must be as claimed, and there is no p value. It still counts in its family, so
that calling something a check helps no other hypothesis.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from llmlab.method.evidence.lookup import Origin, Standing
from llmlab.method.evidence.manifest import Manifest
from llmlab.method.judging import statistics
from llmlab.method.judging.case import Judgement, NoJudgement
from llmlab.method.judging.corrections import Adjusted
from llmlab.method.judging.journal import Entry, Word
from llmlab.method.judging.ledger import Hypothesis
from llmlab.method.judging.registration import Registration
from llmlab.method.judging.scope import Scope
from llmlab.method.judging.sides import short
from llmlab.method.levels import label

SIGNS: Mapping[Word, str] = {"SUPPORTED": "✓", "REFUTED": "✗", "UNDECIDED": "?", "UNTESTED": "…"}
"""A sign for each word, so that meaning never depends on colour."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on one hypothesis with all that it is based on; None where there is nothing.

    Attributes:
        reason: why this word, in one sentence.
        judgement: what the runs say before the corrections.
        adjusted: the p values of the judgement after them.
        manifest: the manifest of the evidence: scale, commit, hardware, date.
        looks: number of seeds in each recorded table judged so far, the present one last.
        former: the verdicts on those tables, and those of former rules on the present one.
        scope: what the verdict holds for.
        origin, state, changes: see `Evidence`.
        smoke_agrees, smoke: whether local smoke runs agree with the recorded ones, and in words.
    """

    hypothesis: Hypothesis
    word: Word
    reason: str
    registration: Registration
    judgement: Judgement | None = None
    adjusted: Adjusted | None = None
    manifest: Manifest | None = None
    looks: tuple[int, ...] = ()
    former: tuple[Entry, ...] = ()
    scope: Scope | None = None
    origin: Origin | None = None
    state: Standing | None = None
    changes: tuple[str, ...] = ()
    smoke_agrees: bool | None = None
    smoke: str = ""

    @property
    def sign(self) -> str:
        return SIGNS[self.word]

    @property
    def is_check(self) -> bool:
        """Whether it is a check, not a finding."""
        return self.hypothesis.kind == "check"

    @property
    def label(self) -> str:
        """Sign and word, such as "✓ SUPPORTED" or, for a check, "✓ SUPPORTED (check)"."""
        return f"{self.sign} {self.word}" + (" (check)" if self.is_check else "")

    @property
    def scale(self) -> str | None:
        """The scale of the evidence."""
        return self.manifest.scale if self.manifest else None

    @property
    def test(self) -> str:
        """The test that decided, with its corrections."""
        holm = f", Holm over {self.adjusted.size}" if self.adjusted.size > 1 else ""
        return f"{self.judgement.test}{holm}, look {self.adjusted.looks}"

    @property
    def p_value(self) -> float | None:
        """P value of the claim, or of its opposite if REFUTED; a check has none."""
        refuted = self.word == "REFUTED"
        return self.judgement.p_refuted if refuted else self.judgement.p_supported

    @property
    def p_adjusted(self) -> float | None:
        """`p_value` after the corrections."""
        if self.p_value is None:
            return None
        return self.adjusted.refuted if self.word == "REFUTED" else self.adjusted.supported

    @property
    def detectable(self) -> float | None:
        """The distance from the margin that the test detects with 80 % power.

        Computed at the strictest step of the corrections. For "equivalent", the smallest margin
        that contains a true effect of 0 with that power. None if unknown.
        """
        spread = float(np.std(self.judgement.per_seed, ddof=1))
        if not self.judgement.is_t or statistics.is_constant(self.judgement.per_seed):
            return None
        # equivalence needs both one-sided tests, so each may miss only half as often
        power = 0.9 if self.hypothesis.claim == "equivalent" else 0.8
        alpha = self.hypothesis.alpha / self.adjusted.tests
        return statistics.detectable_effect(spread, self.judgement.n, alpha, power)

    def flat(self) -> dict[str, object]:
        """All fields on one level, for other programs; None if unknown."""
        row = {each.name: getattr(self, each.name) for each in fields(self)}
        judgement, manifest, _ = row.pop("judgement"), row.pop("manifest"), row.pop("adjusted")
        for each in fields(Judgement):
            row[each.name] = getattr(judgement, each.name, None)
        for name in ("test", "p_value", "p_adjusted", "detectable"):
            row[name] = getattr(self, name) if judgement else None
        provenance = ("scale", "device", "git_commit", "finished")
        return row | {name: getattr(manifest, name, None) for name in provenance}


def decide(
    hypothesis: Hypothesis, judgement: Judgement | NoJudgement, adjusted: Adjusted
) -> tuple[Word, str]:
    """The verdict's word, and the reason for it."""
    if isinstance(judgement, NoJudgement):
        return judgement.word, judgement.reason
    finding, place = _finding(hypothesis, judgement), _place(hypothesis)
    if judgement.open_end:
        return "UNDECIDED", f"{finding} is not decisive: {judgement.open_end}."
    if hypothesis.kind == "check":
        return _checked(hypothesis, judgement, place)
    if adjusted.supported <= hypothesis.alpha:
        return "SUPPORTED", f"{finding} lies {place.claimed}."
    if adjusted.refuted <= hypothesis.alpha:
        return "REFUTED", f"{finding} lies {place.opposite}, not {place.claimed}."
    undecided = f"{finding} may lie {place.claimed} or {place.opposite}"
    if min(judgement.p_supported, judgement.p_refuted) <= hypothesis.alpha:
        return "UNDECIDED", f"{undecided}, once corrected for {_corrected_for(adjusted)}."
    return "UNDECIDED", f"{undecided}."


def _checked(hypothesis: Hypothesis, judgement: Judgement, place: "_Place") -> tuple[Word, str]:
    """Decide a check: SUPPORTED if every seed lies in the claimed region, REFUTED if none does."""
    low, high = claimed_region(hypothesis)
    inside = [low <= each <= high for each in judgement.per_seed]
    where = f"of all {len(inside)} seeds"
    if all(inside):
        return "SUPPORTED", f"A check: the effects {where} lie {place.claimed}."
    if not any(inside):
        return "REFUTED", f"A check: the effects {where} lie {place.opposite}."
    return "UNDECIDED", f"A check: {sum(inside)} {where} lie {place.claimed}."


def claimed_region(hypothesis: Hypothesis) -> tuple[float, float]:
    """The effects for which the claim is true, as an open or closed interval."""
    margin = hypothesis.margin
    if hypothesis.claim == "interval":
        return hypothesis.interval or (-np.inf, np.inf)
    if hypothesis.claim == "equivalent":
        return -margin, margin
    return (margin, np.inf) if hypothesis.claims_more else (-np.inf, -margin)


def _corrected_for(adjusted: Adjusted) -> str:
    hypotheses = f"{adjusted.size} hypotheses and " if adjusted.size > 1 else ""
    return f"{hypotheses}look {adjusted.looks}"


def _finding(hypothesis: Hypothesis, judgement: Judgement) -> str:
    metric = label(hypothesis.metric)
    what = {
        "monotone": f"The rank correlation of {metric} with {label(str(hypothesis.along))}",
        "interval": f"The best {label(str(hypothesis.best))} by {metric}",
    }.get(hypothesis.claim, f"The difference in {metric}")
    if hypothesis.reference is not None:
        what += f" from {short(hypothesis.reference)}"
    interval = f"{short(judgement.low)} to {short(judgement.high)}"
    return (
        f"{what}, {short(judgement.effect)} "
        f"({judgement.level:.0%} interval {interval}, n = {judgement.n}),"
    )


@dataclass(frozen=True)
class _Place:
    """Where the effect lies if the claim is true, and where if its opposite is true."""

    claimed: str
    opposite: str


def _place(hypothesis: Hypothesis) -> _Place:
    if hypothesis.claim == "interval":
        ends = " to ".join(map(short, hypothesis.interval))
        return _Place(f"within {ends}", "outside")
    if hypothesis.claim == "equivalent":
        return _Place(f"within ±{short(hypothesis.margin)}", "outside")
    if hypothesis.claims_more:
        return _Place(f"above {short(hypothesis.margin)}", "below")
    return _Place(f"below {short(-hypothesis.margin)}", "above")

"""Verdicts: what the best evidence there is says about each registered hypothesis.

Nobody types a verdict. A hypothesis is SUPPORTED if its claim is significant at alpha after Holm's
correction over its family, REFUTED if the opposite of its claim is, and UNDECIDED otherwise. The
correction is made for both directions apart: the chance of any false SUPPORTED in a family is at
most alpha, and so is that of any false REFUTED. The family counts as many hypotheses as are
registered, tested or not, so that a verdict does not depend on what was run first.

Seeds that are added because a look at the first ones did not decide give chance another chance. So
all p values of a table at its k-th look count k-fold (Bonferroni's correction), before Holm's.

Smoke runs prove that the code runs. They are no evidence, and a hypothesis with nothing else is
UNTESTED, though what they say is shown.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from llmlab.method.declare.experiment import SCALES
from llmlab.method.evidence.lookup import (
    Evidence,
    Origin,
    Standing,
    evidence_at,
    fresh_evidence,
    recorded_evidence,
)
from llmlab.method.evidence.manifest import Manifest
from llmlab.method.evidence.reproduction import compare
from llmlab.method.judging import statistics
from llmlab.method.judging.judgement import Judgement, NoJudgement, judge, short
from llmlab.method.judging.ledger import Hypothesis, load_ledger
from llmlab.method.judging.registration import History, Registration, read_history, registration
from llmlab.method.project import Project

Word = Literal["SUPPORTED", "REFUTED", "UNDECIDED", "UNTESTED"]

SIGNS: Mapping[Word, str] = {"SUPPORTED": "✓", "REFUTED": "✗", "UNDECIDED": "?", "UNTESTED": "…"}
"""A sign beside each word, so that colour is never needed."""


@dataclass(frozen=True)
class Adjusted:
    """P values of a claim and of its opposite after the corrections.

    Attributes:
        size: hypotheses of the family (Holm).
        looks: at the same runs with ever more seeds, the last included (Bonferroni).
    """

    supported: float
    refuted: float
    size: int
    looks: int

    @property
    def tests(self) -> int:
        """By how much a p value grows at most."""
        return self.size * self.looks


@dataclass(frozen=True)
class Verdict:
    """The verdict on one hypothesis with all that it rests on; None where there is nothing.

    Attributes:
        reason: why this word, in one sentence.
        judgement: what the runs say before the corrections.
        adjusted: the p values of the judgement after them.
        manifest: of the evidence: scale, commit, hardware, date, looks.
        origin, state, changes: see `Evidence`.
        smoke_agrees, smoke: whether the smoke runs here agree with the recorded ones, in words.
    """

    hypothesis: Hypothesis
    word: Word
    reason: str
    registration: Registration
    judgement: Judgement | None = None
    adjusted: Adjusted | None = None
    manifest: Manifest | None = None
    origin: Origin | None = None
    state: Standing | None = None
    changes: tuple[str, ...] = ()
    smoke_agrees: bool | None = None
    smoke: str = ""

    @property
    def sign(self) -> str:
        return SIGNS[self.word]

    @property
    def label(self) -> str:
        """Sign and word, as in "✓ SUPPORTED"."""
        return f"{self.sign} {self.word}"

    @property
    def scale(self) -> str | None:
        """The scale of the evidence."""
        return self.manifest.scale if self.manifest else None

    @property
    def test(self) -> str:
        """The test that decided, with its corrections."""
        holm = f", Holm over {self.adjusted.size}" if self.adjusted.size > 1 else ""
        looks = f", Bonferroni over {self.adjusted.looks} looks" if self.adjusted.looks > 1 else ""
        return f"{self.judgement.test}{holm}{looks}"

    @property
    def p_value(self) -> float:
        """P value of the claim; of its opposite where the word is REFUTED."""
        refuted = self.word == "REFUTED"
        return self.judgement.p_refuted if refuted else self.judgement.p_supported

    @property
    def p_adjusted(self) -> float:
        """`p_value` after the corrections."""
        return self.adjusted.refuted if self.word == "REFUTED" else self.adjusted.supported

    @property
    def detectable(self) -> float | None:
        """The distance from the margin that the test finds with 80 % power.

        At the strictest step of the corrections. For "equivalent" it is the smallest margin within
        which a true effect of 0 is found to lie with that power. None where it is not known.
        """
        spread = float(np.std(self.judgement.per_seed, ddof=1))
        if self.hypothesis.claim == "interval" or statistics.is_constant(self.judgement.per_seed):
            return None
        # an effect of 0 lies within the margins if both tests say so: each may miss half as often
        power = 0.9 if self.hypothesis.claim == "equivalent" else 0.8
        alpha = self.hypothesis.alpha / self.adjusted.tests
        return statistics.detectable_effect(spread, self.judgement.n, alpha, power)

    def flat(self) -> dict[str, object]:
        """All on one level, for other programs; None for what is not known."""
        row = {each.name: getattr(self, each.name) for each in fields(self)}
        judgement, manifest, _ = row.pop("judgement"), row.pop("manifest"), row.pop("adjusted")
        for each in fields(Judgement):
            row[each.name] = getattr(judgement, each.name, None)
        for name in ("test", "p_value", "p_adjusted", "detectable"):
            row[name] = getattr(self, name) if judgement else None
        provenance = ("scale", "device", "git_commit", "finished", "looks")
        return row | {name: getattr(manifest, name, None) for name in provenance}


def judge_all(project: Project, scale: str | None = None) -> list[Verdict]:
    """The verdict on every hypothesis of the ledger, in its order.

    Args:
        scale: judge the evidence of this scale; by default the largest whose runs can judge.

    Raises:
        LabError: the ledger has a mistake, or a table is damaged.
    """
    return judge_hypotheses(project, load_ledger(project).hypotheses, scale)


def judge_hypotheses(
    project: Project, hypotheses: Iterable[Hypothesis], scale: str | None = None
) -> list[Verdict]:
    """The verdicts on hypotheses, which must be whole families; otherwise as `judge_all`."""
    hypotheses = list(hypotheses)
    names = dict.fromkeys(hypothesis.experiment for hypothesis in hypotheses)
    evidence = {name: _evidence(project, name, scale) for name in names}
    smoke = {name: smoke_agreement(project, name) for name in names}
    return verdicts(hypotheses, evidence, read_history(project), smoke)


def verdicts(
    hypotheses: Iterable[Hypothesis],
    evidence: Mapping[str, Sequence[Evidence]],
    history: History | None,
    smoke: Mapping[str, tuple[bool | None, str]],
) -> list[Verdict]:
    """The verdicts on hypotheses, given the evidence of each experiment, the largest scale first.

    A hypothesis is judged on the first whose runs can: a larger scale may have other conditions.
    """
    hypotheses = list(hypotheses)
    judged = {
        hypothesis.id: _judge(hypothesis, evidence[hypothesis.experiment])
        for hypothesis in hypotheses
    }
    judgements = {name: judgement for name, (judgement, _) in judged.items()}
    looks = {name: len(_looks(found)) for name, (_, found) in judged.items()}
    adjusted = judge_family(hypotheses, judgements, looks)
    return [
        _verdict(
            hypothesis,
            *judged[hypothesis.id],
            adjusted[hypothesis.id],
            history,
            smoke[hypothesis.experiment],
        )
        for hypothesis in hypotheses
    ]


def judge_family(
    hypotheses: Iterable[Hypothesis],
    judgements: Mapping[str, Judgement | NoJudgement],
    looks: Mapping[str, int],
) -> dict[str, Adjusted]:
    """Both corrections within each family; what could not be judged counts with p = 1.

    Args:
        looks: for each hypothesis how often its runs have been judged, this time included.
    """
    families: dict[str, list[Hypothesis]] = {}
    for hypothesis in hypotheses:
        families.setdefault(hypothesis.family, []).append(hypothesis)
    adjusted: dict[str, Adjusted] = {}
    for members in families.values():
        counts = [max(1, looks[member.id]) for member in members]
        p_values = np.array([_p_values(judgements[member.id]) for member in members])
        seen = np.minimum(1.0, p_values * np.array(counts)[:, None])
        supported, refuted = (statistics.holm(direction).tolist() for direction in seen.T)
        for member, *both, count in zip(members, supported, refuted, counts, strict=True):
            adjusted[member.id] = Adjusted(*both, size=len(members), looks=count)
    return adjusted


def smoke_agreement(project: Project, experiment: str) -> tuple[bool | None, str]:
    """Whether the smoke runs made here agree with the recorded ones, and a sentence on it."""
    fresh = fresh_evidence(project, experiment, "smoke")
    recorded = recorded_evidence(project, experiment, "smoke")
    if fresh is None or recorded is None:
        absent = "made here" if fresh is None else "recorded"
        return None, f"No smoke runs were {absent}, so there is nothing to compare."
    agreement = compare(fresh, recorded)
    relation = "agree with" if agreement.agrees else "differ from"
    return agreement.agrees, f"The smoke runs made here {relation} the recorded ones."


def _evidence(project: Project, name: str, scale: str | None) -> Sequence[Evidence]:
    """The evidence of one scale or of all, the largest first; smoke for want of others."""
    scales = reversed(SCALES) if scale is None else [scale]
    found = list(filter(None, (evidence_at(project, name, each) for each in scales)))
    return [each for each in found if each.scale != "smoke"] or found


def _looks(evidence: Evidence | None) -> tuple[int, ...]:
    return evidence.manifest.looks if evidence else ()


def _judge(
    hypothesis: Hypothesis, candidates: Sequence[Evidence]
) -> tuple[Judgement | NoJudgement, Evidence | None]:
    """The judgement on the first candidate that allows one, else why the first does not."""
    if not candidates:
        return NoJudgement("UNTESTED", "There are no runs yet."), None
    tried = [(judge(hypothesis, found.experiment, found.runs), found) for found in candidates]
    return next((pair for pair in tried if isinstance(pair[0], Judgement)), tried[0])


def _p_values(judgement: Judgement | NoJudgement) -> tuple[float, float]:
    """P values of the claim and of its opposite, before the correction."""
    if isinstance(judgement, NoJudgement):
        return 1.0, 1.0
    return judgement.p_supported, judgement.p_refuted


def _verdict(
    hypothesis: Hypothesis,
    judgement: Judgement | NoJudgement,
    evidence: Evidence | None,
    adjusted: Adjusted,
    history: History | None,
    smoke: tuple[bool | None, str],
) -> Verdict:
    word, reason = _decide(hypothesis, judgement, adjusted)
    scale = evidence.scale if evidence else None
    if scale == "smoke":
        word, reason = "UNTESTED", f"Only smoke-scale runs exist, which are no evidence. {reason}"
        scale = None  # and so there is no result yet that could have come first
    return Verdict(
        hypothesis=hypothesis,
        word=word,
        reason=reason,
        registration=registration(history, hypothesis.id, hypothesis.experiment, scale),
        judgement=judgement if isinstance(judgement, Judgement) else None,
        adjusted=adjusted,
        manifest=evidence.manifest if evidence else None,
        origin=evidence.origin if evidence else None,
        state=evidence.state if evidence else None,
        changes=evidence.changes if evidence else (),
        smoke_agrees=smoke[0],
        smoke=smoke[1],
    )


def _decide(
    hypothesis: Hypothesis, judgement: Judgement | NoJudgement, adjusted: Adjusted
) -> tuple[Word, str]:
    if isinstance(judgement, NoJudgement):
        return judgement.word, judgement.reason
    finding, place = _finding(hypothesis, judgement), _place(hypothesis)
    if adjusted.supported <= hypothesis.alpha:
        return "SUPPORTED", f"{finding} lies {place.claimed}."
    if adjusted.refuted <= hypothesis.alpha:
        return "REFUTED", f"{finding} lies {place.opposite}, not {place.claimed}."
    undecided = f"{finding} may lie {place.claimed} or {place.opposite}"
    if min(judgement.p_supported, judgement.p_refuted) <= hypothesis.alpha:
        return "UNDECIDED", f"{undecided}, once corrected for {_corrected_for(adjusted)}."
    return "UNDECIDED", f"{undecided}."


def _corrected_for(adjusted: Adjusted) -> str:
    looks = f" and {adjusted.looks} looks" if adjusted.looks > 1 else ""
    return f"{adjusted.size} hypotheses{looks}"


def _finding(hypothesis: Hypothesis, judgement: Judgement) -> str:
    what = {
        "monotone": f"The rank correlation of {hypothesis.metric} with {hypothesis.along}",
        "interval": f"The best {hypothesis.best} by {hypothesis.metric}",
    }.get(hypothesis.claim, f"The difference in {hypothesis.metric}")
    if hypothesis.reference is not None:
        what += f" from {short(hypothesis.reference)}"
    interval = f"{short(judgement.low)} to {short(judgement.high)}"
    return (
        f"{what}, {short(judgement.effect)} "
        f"({judgement.level:.0%} interval {interval}, n = {judgement.n}),"
    )


@dataclass(frozen=True)
class _Place:
    """Where the effect lies if the claim is true, and where if its opposite is."""

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

"""Verdicts: what the best available evidence says about each registered hypothesis.

Verdicts are always computed. A hypothesis is SUPPORTED if its claim is significant at alpha after
Holm's correction over its family, REFUTED if the opposite of its claim is, and UNDECIDED otherwise.
Each direction is corrected separately: the chance of any false SUPPORTED in a family is at most
alpha, and so is that of any false REFUTED. All registered hypotheses of the family count, tested or
not, so that a verdict does not depend on what was run first.

Every further look at a question, at more seeds or at runs of other code, adds a chance of error. So
alpha is spent in advance: half of it at the first recorded table, a quarter at the second, and so
on. At the k-th look, all p values of a table are multiplied by 2^k before Holm's correction.

If the best level of a tuned axis is at the edge of its grid, the verdict is UNDECIDED until the
grid is extended. It is also UNDECIDED if all sides of a share lie at its floor or its ceiling,
unless the claim points away from that end. A check follows from arithmetic or is too obvious to be
a finding: every seed must be as claimed, and there is no p value. It still counts in its family, so
that calling something a check helps no other hypothesis.

Smoke runs show that the code runs. They are not evidence: a hypothesis with nothing else is
UNTESTED, though their result is shown.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Literal

import numpy as np

from llmlab.method.declare.experiment import SCALES
from llmlab.method.evidence.drift import read_drifts
from llmlab.method.evidence.lookup import (
    Evidence,
    Origin,
    Standing,
    evidence_at,
    fresh_evidence,
    recorded_evidence,
)
from llmlab.method.evidence.manifest import Manifest
from llmlab.method.evidence.reach import still_source
from llmlab.method.evidence.reproduction import compare
from llmlab.method.judging import statistics
from llmlab.method.judging.journal import (
    NOW,
    Entry,
    Journal,
    read_journal,
    table_key,
    write_journal,
)
from llmlab.method.judging.judgement import Judgement, NoJudgement
from llmlab.method.judging.ledger import Hypothesis, load_ledger
from llmlab.method.judging.registration import History, Registration, read_history, registration
from llmlab.method.judging.remembered import Judge, judge_evidence
from llmlab.method.judging.scope import Scope, scope_of
from llmlab.method.judging.sides import short
from llmlab.method.levels import label
from llmlab.method.locks import writing_results
from llmlab.method.project import Project

Judging = Callable[[Hypothesis, Evidence], Judgement | NoJudgement]
Word = Literal["SUPPORTED", "REFUTED", "UNDECIDED", "UNTESTED"]

SIGNS: Mapping[Word, str] = {"SUPPORTED": "✓", "REFUTED": "✗", "UNDECIDED": "?", "UNTESTED": "…"}
"""A sign for each word, so that meaning never depends on colour."""


@dataclass(frozen=True)
class Adjusted:
    """P values of a claim and of its opposite after the corrections.

    Attributes:
        size: number of hypotheses in the family (Holm).
        looks: number of recorded tables judged, including the last; alpha is spent over them.
    """

    supported: float
    refuted: float
    size: int
    looks: int

    @property
    def tests(self) -> int:
        """The largest factor on a p value."""
        return self.size * statistics.spending(self.looks)


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


def judge_all(
    project: Project, scale: str | None = None, judge: Judging | None = None
) -> list[Verdict]:
    """The verdict on every hypothesis of the ledger, in the ledger's order.

    Args:
        scale: judge evidence of this scale; by default the largest that allows a judgement.
        judge: how to judge; by default it reuses earlier judgements of the same evidence.

    Raises:
        LabError: the ledger has a mistake, or a table is damaged.
    """
    return judge_hypotheses(project, load_ledger(project).hypotheses, scale, judge)


def judge_hypotheses(
    project: Project,
    hypotheses: Iterable[Hypothesis],
    scale: str | None = None,
    judge: Judging | None = None,
) -> list[Verdict]:
    """The verdicts on hypotheses, which must form whole families; otherwise like `judge_all`."""
    hypotheses = list(hypotheses)
    names = dict.fromkeys(hypothesis.experiment for hypothesis in hypotheses)
    with still_source():
        evidence = {name: _evidence(project, name, scale) for name in names}
        smoke = {name: smoke_agreement(project, name) for name in names}
    judge = judge or Judge(project.build / "judgements")
    journal = read_journal(project)
    found = verdicts(hypotheses, evidence, read_history(project), smoke, journal, judge)
    scopes = {
        (name, each.scale): scope_of(project, each)
        for name, several in evidence.items()
        for each in several
    }
    return [
        replace(verdict, scope=scopes.get((verdict.hypothesis.experiment, verdict.scale)))
        for verdict in found
    ]


def verdicts(
    hypotheses: Iterable[Hypothesis],
    evidence: Mapping[str, Sequence[Evidence]],
    history: History | None,
    smoke: Mapping[str, tuple[bool | None, str]],
    journal: Journal = Journal(),  # noqa: B008 (frozen)
    judge: Judging = judge_evidence,
) -> list[Verdict]:
    """The verdicts on hypotheses, given the evidence of each experiment, largest scale first.

    A hypothesis is judged on the first evidence that allows it: a larger scale may have other
    conditions.
    """
    hypotheses = list(hypotheses)
    judged = {
        hypothesis.id: _judge(hypothesis, evidence[hypothesis.experiment], judge)
        for hypothesis in hypotheses
    }
    judgements = {name: judgement for name, (judgement, _) in judged.items()}
    looks = {name: _looks(journal, name, found) for name, (_, found) in judged.items()}
    counts = {name: len(each) for name, each in looks.items()}
    adjusted = judge_family(hypotheses, judgements, counts)
    return [
        _verdict(
            hypothesis,
            *judged[hypothesis.id],
            adjusted[hypothesis.id],
            looks[hypothesis.id],
            history,
            smoke[hypothesis.experiment],
            journal,
        )
        for hypothesis in hypotheses
    ]


def judge_family(
    hypotheses: Iterable[Hypothesis],
    judgements: Mapping[str, Judgement | NoJudgement],
    looks: Mapping[str, int],
) -> dict[str, Adjusted]:
    """Apply both corrections within each family; hypotheses without a judgement count with p = 1.

    Args:
        looks: for each hypothesis, how often its runs have been judged, including this time.
    """
    families: dict[str, list[Hypothesis]] = {}
    for hypothesis in hypotheses:
        families.setdefault(hypothesis.family, []).append(hypothesis)
    adjusted: dict[str, Adjusted] = {}
    for members in families.values():
        counts = [max(1, looks[member.id]) for member in members]
        p_values = np.array([_p_values(judgements[member.id]) for member in members])
        spent = np.array([statistics.spending(count) for count in counts])
        seen = np.minimum(1.0, p_values * spent[:, None])
        supported, refuted = (statistics.holm(direction).tolist() for direction in seen.T)
        for member, *both, count in zip(members, supported, refuted, counts, strict=True):
            adjusted[member.id] = Adjusted(*both, size=len(members), looks=count)
    return adjusted


def keep_verdicts(project: Project) -> int:
    """Add every verdict on a recorded table that the journal lacks; each is judged anew.

    Returns:
        The number of entries added.

    Raises:
        LabError: the ledger, a table or the journal is damaged, or the journal cannot be written.
    """
    scales = [scale for scale in SCALES if scale != "smoke"]
    with writing_results(project):
        journal = read_journal(project)
        found = [one for scale in scales for one in judge_all(project, scale, judge_evidence)]
        recorded = (verdict for verdict in found if _is_recorded(project, verdict))
        more = journal.with_new(map(_entry, recorded))
        if more != journal:
            write_journal(project, more)
    return len(more.entries) - len(journal.entries)


def _is_recorded(project: Project, verdict: Verdict) -> bool:
    recorded = recorded_evidence(project, verdict.hypothesis.experiment, verdict.scale or "smoke")
    return bool(
        verdict.manifest and recorded and recorded.manifest.sha256 == verdict.manifest.sha256
    )


def _entry(verdict: Verdict) -> Entry:
    found, manifest = verdict.judgement, verdict.manifest
    return Entry(
        hypothesis=verdict.hypothesis.id,
        scale=manifest.scale,
        table=table_key(manifest.sha256),
        seeds=len(manifest.seeds),
        word=verdict.word,
        effect=found.effect if found else None,
        low=found.low if found else None,
        high=found.high if found else None,
        rules=NOW,
        date=date.today().isoformat(),
    )


def smoke_agreement(project: Project, experiment: str) -> tuple[bool | None, str]:
    """Whether local smoke runs agree with the recorded ones, and a sentence about it."""
    fresh = fresh_evidence(project, experiment, "smoke")
    recorded = recorded_evidence(project, experiment, "smoke")
    if fresh is None or recorded is None:
        absent = "made here" if fresh is None else "recorded"
        return None, f"No smoke runs were {absent}, so there is nothing to compare."
    agreement = compare(fresh, recorded, read_drifts(project))
    relation = "agree with" if agreement.agrees else "differ from"
    return agreement.agrees, f"The smoke runs made here {relation} the recorded ones."


def _evidence(project: Project, name: str, scale: str | None) -> Sequence[Evidence]:
    """The evidence of one scale or of all, largest first; smoke only if there is no other."""
    scales = reversed(SCALES) if scale is None else [scale]
    found = list(filter(None, (evidence_at(project, name, each) for each in scales)))
    return [each for each in found if each.scale != "smoke"] or found


def _looks(journal: Journal, hypothesis_id: str, evidence: Evidence | None) -> tuple[int, ...]:
    """The number of seeds at each look, by the journal or the manifest, whichever lists more."""
    if evidence is None:
        return ()
    manifest = evidence.manifest
    table = table_key(manifest.sha256)
    kept = journal.looks(hypothesis_id, manifest.scale, table, len(manifest.seeds))
    return max(kept, manifest.looks, key=len)


def _former(journal: Journal, hypothesis_id: str, evidence: Evidence | None) -> tuple[Entry, ...]:
    if evidence is None:
        return ()
    table = table_key(evidence.manifest.sha256)
    return journal.former(hypothesis_id, evidence.manifest.scale, table)


def _judge(
    hypothesis: Hypothesis, candidates: Sequence[Evidence], judge: Judging
) -> tuple[Judgement | NoJudgement, Evidence | None]:
    """The judgement on the first candidate that allows one, else why the first allows none."""
    if not candidates:
        return NoJudgement("UNTESTED", "There are no runs yet."), None
    tried = [(judge(hypothesis, found), found) for found in candidates]
    return next((pair for pair in tried if isinstance(pair[0], Judgement)), tried[0])


def _p_values(judgement: Judgement | NoJudgement) -> tuple[float, float]:
    """P values of the claim and of its opposite before the correction; 1 if there are none."""
    if isinstance(judgement, NoJudgement) or judgement.p_supported is None:
        return 1.0, 1.0
    return judgement.p_supported, judgement.p_refuted


def _verdict(
    hypothesis: Hypothesis,
    judgement: Judgement | NoJudgement,
    evidence: Evidence | None,
    adjusted: Adjusted,
    looks: tuple[int, ...],
    history: History | None,
    smoke: tuple[bool | None, str],
    journal: Journal,
) -> Verdict:
    word, reason = decide(hypothesis, judgement, adjusted)
    scale = evidence.scale if evidence else None
    if scale == "smoke":
        word, reason = "UNTESTED", f"Only smoke-scale runs exist; they are not evidence. {reason}"
        scale = None  # so no result can precede the registration
    return Verdict(
        hypothesis=hypothesis,
        word=word,
        reason=reason,
        registration=registration(history, hypothesis.id, hypothesis.experiment, scale),
        judgement=judgement if isinstance(judgement, Judgement) else None,
        adjusted=adjusted,
        manifest=evidence.manifest if evidence else None,
        looks=looks,
        former=_former(journal, hypothesis.id, evidence),
        origin=evidence.origin if evidence else None,
        state=evidence.state if evidence else None,
        changes=evidence.changes if evidence else (),
        smoke_agrees=smoke[0],
        smoke=smoke[1],
    )


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

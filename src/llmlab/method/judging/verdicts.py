"""Verdicts: what the best available evidence says about each registered hypothesis.

Verdicts are always computed: by `judgement` from the runs, `corrections` from all judgements of a
family, and `verdict` from both. Smoke runs show that the code runs. They are not evidence: a
hypothesis with nothing else is UNTESTED, though their result is shown.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from llmlab.method.declare.experiment import SCALES
from llmlab.method.evidence.drift import read_drifts
from llmlab.method.evidence.lookup import (
    Evidence,
    evidence_at,
    fresh_evidence,
    ranked_evidence,
    recorded_evidence,
)
from llmlab.method.evidence.reach import still_source
from llmlab.method.evidence.reproduction import compare
from llmlab.method.judging.case import Judgement, NoJudgement
from llmlab.method.judging.corrections import Adjusted, corrected
from llmlab.method.judging.journal import (
    NOW,
    Entry,
    Journal,
    read_journal,
    table_key,
    write_journal,
)
from llmlab.method.judging.ledger import Hypothesis
from llmlab.method.judging.ledger_files import load_ledger
from llmlab.method.judging.registration import History, read_history, registration
from llmlab.method.judging.remembered import Judge, judge_evidence
from llmlab.method.judging.scope import scope_of
from llmlab.method.judging.verdict import Verdict, decide
from llmlab.method.locks import writing_results
from llmlab.method.project import Project

Judging = Callable[[Hypothesis, Evidence], Judgement | NoJudgement]


def judge_all(
    project: Project, scale: str | None = None, judge: Judging | None = None
) -> list[Verdict]:
    """The verdict on every hypothesis of the ledger, in the ledger's order.

    Args:
        scale: judge evidence of this scale; by default the best that allows a judgement.
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
    """The verdicts on hypotheses, given the evidence of each experiment, best first.

    A hypothesis is judged on the first evidence that allows it: a larger scale may have other
    conditions.
    """
    cases = {
        hypothesis.id: _case(hypothesis, evidence[hypothesis.experiment], judge, journal)
        for hypothesis in hypotheses
    }
    adjusted = corrected(
        [case.hypothesis for case in cases.values()],
        {name: case.judgement for name, case in cases.items()},
        {name: len(case.looks) for name, case in cases.items()},
    )
    return [
        _verdict(case, adjusted[name], history, smoke[case.hypothesis.experiment])
        for name, case in cases.items()
    ]


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
    if not (fresh.fits and recorded.fits):
        return None, "The recorded smoke runs have other columns, so there is nothing to compare."
    agreement = compare(fresh, recorded, read_drifts(project))
    relation = "agree with" if agreement.agrees else "differ from"
    return agreement.agrees, f"The smoke runs made here {relation} the recorded ones."


def _evidence(project: Project, name: str, scale: str | None) -> Sequence[Evidence]:
    """The evidence of one scale, or of all, best first."""
    if scale is None:
        return ranked_evidence(project, name)
    found = evidence_at(project, name, scale)
    return [found] if found and found.fits else []


@dataclass(frozen=True)
class _Case:
    """A hypothesis with its judgement and the evidence for it, before the corrections.

    Attributes:
        evidence: what the judgement rests on; None if there are no runs.
        looks, former: see `Verdict`.
    """

    hypothesis: Hypothesis
    judgement: Judgement | NoJudgement
    evidence: Evidence | None = None
    looks: tuple[int, ...] = ()
    former: tuple[Entry, ...] = ()


def _case(
    hypothesis: Hypothesis, candidates: Sequence[Evidence], judge: Judging, journal: Journal
) -> _Case:
    """The case for the first candidate that allows a judgement, else for the first."""
    if not candidates:
        return _Case(hypothesis, NoJudgement("UNTESTED", "There are no runs yet."))
    tried = [(judge(hypothesis, found), found) for found in candidates]
    judgement, found = next((one for one in tried if isinstance(one[0], Judgement)), tried[0])
    manifest = found.manifest
    table = table_key(manifest.sha256)
    looks = journal.looks(hypothesis.id, manifest.scale, table, len(manifest.seeds))
    return _Case(
        hypothesis,
        judgement,
        found,
        looks=max(looks, manifest.looks, key=len),  # whichever lists more
        former=journal.former(hypothesis.id, manifest.scale, table),
    )


def _verdict(
    case: _Case, adjusted: Adjusted, history: History | None, smoke: tuple[bool | None, str]
) -> Verdict:
    hypothesis, judgement, evidence = case.hypothesis, case.judgement, case.evidence
    word, reason = decide(hypothesis, judgement, adjusted)
    scale = evidence.scale if evidence else None
    if scale == "smoke":
        word, reason = "UNTESTED", f"Only smoke-scale runs exist; they are not evidence. {reason}"
        scale = None  # so no result can precede the registration
    agrees, comparison = smoke
    return Verdict(
        hypothesis=hypothesis,
        word=word,
        reason=reason,
        registration=registration(history, hypothesis.id, hypothesis.experiment, scale),
        judgement=judgement if isinstance(judgement, Judgement) else None,
        adjusted=adjusted,
        manifest=evidence.manifest if evidence else None,
        looks=case.looks,
        former=case.former,
        origin=evidence.origin if evidence else None,
        state=evidence.state if evidence else None,
        changes=evidence.changes if evidence else (),
        smoke_agrees=agrees,
        smoke=comparison,
    )

"""The computed lists of the book: labs, hypotheses, questions, progress."""

import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from IPython.display import Markdown

from llmlab.book import markup, numbers
from llmlab.book.evidence import boxes, effects
from llmlab.book.evidence.origins import processors
from llmlab.book.evidence.results import duration
from llmlab.method.declare.catalog import catalog, suggestion
from llmlab.method.declare.experiment import SCALES
from llmlab.method.errors import LabError
from llmlab.method.evidence.lookup import Evidence, best_evidence
from llmlab.method.files import read_text
from llmlab.method.judging.journal import Word
from llmlab.method.judging.ledger import Ledger, Track
from llmlab.method.judging.ledger_files import load_ledger
from llmlab.method.judging.progress import (
    FeatureProgress,
    PhaseProgress,
    TrackProgress,
    question_statuses,
)
from llmlab.method.judging.progress import progress as tracks_progress
from llmlab.method.judging.verdict import SIGNS, Verdict
from llmlab.method.project import Project

_LABEL = re.compile(r"\{#(sec-[\w-]+)")
NO_BREAK = "\N{NO-BREAK SPACE}"
WORDS = get_args(Word)


def summary(project: Project, verdicts: Sequence[Verdict]) -> Markdown:
    """For each track with hypotheses, their number by verdict, and the scale and hardware."""
    ledger = load_ledger(project)
    rows = [
        [
            f"**{track.title}**",
            *(str(_count(own, word)) for word in WORDS),
            _checks(own),
            _standing(own),
        ]
        for track in ledger.tracks
        if (own := _of_track(ledger, track, verdicts))
    ]
    words = [f"{SIGNS[word]} {word.capitalize()}" for word in WORDS]
    header = ["Lab", *words, "Checks that hold", "Evidence"]
    return Markdown(markup.pipe_table(header, rows, numeric=range(1, 2 + len(WORDS))))


def finding(project: Project, verdict: Verdict, sentence: str) -> str:
    """An item of a numbered list: a finding in a sentence, its verdict and what it holds for."""
    chapter = chapter_of(project, verdict.hypothesis.experiment)
    item = f"1. **{sentence}** {boxes.verdict_badge(verdict)} ({chapter})"
    if verdict.judgement is None:
        return item
    name = effects.quantity(verdict)
    scope = f" Holds for {boxes.scope_text(verdict.scope)}." if verdict.scope else ""
    return f"{item}\\\n   {name[0].upper()}{name[1:]}: {_effect(verdict)}.{scope}"


def ledger(project: Project, verdicts: Sequence[Verdict]) -> Markdown:
    """Every hypothesis: where it was tested, verdict, effect, claim, and when it was registered."""
    rows = [
        [
            f"**{verdict.hypothesis.id}** {verdict.hypothesis.title} "
            f"({chapter_of(project, verdict.hypothesis.experiment)})",
            f"{boxes.verdict_badge(verdict)} {_tested_at(verdict)}",
            _effect(verdict),
            effects.claim_text(verdict.hypothesis, _unit(verdict)),
            f"{verdict.hypothesis.registered}{_order(verdict)}",
        ]
        for verdict in verdicts
    ]
    header = ["Hypothesis", "Verdict, scale", "Effect", "Claimed", "Registered"]
    return Markdown(markup.pipe_table(header, rows))


def by_scale(judged: Mapping[str, Sequence[Verdict]]) -> Markdown:
    """Each hypothesis of a family with its verdict and effect at each scale that has evidence.

    Args:
        judged: the verdicts on the family at each scale, in the same order.
    """
    tested = {
        scale: found for scale, found in judged.items() if any(each.manifest for each in found)
    }
    if not tested:
        return Markdown("No runs at laptop or gpu scale exist yet.")
    rows = [
        [
            f"**{each[0].hypothesis.id}** {each[0].hypothesis.title}",
            *(f"{boxes.verdict_badge(verdict)} {_effect(verdict)}" for verdict in each),
        ]
        for each in zip(*tested.values(), strict=True)
    ]
    header = ["Hypothesis", *(_scale(name, found[0]) for name, found in tested.items())]
    return Markdown(markup.pipe_table(header, rows))


def questions(project: Project, verdicts: Sequence[Verdict]) -> Markdown:
    """Every question by track, with its status and the hypotheses that test it."""
    ledger = load_ledger(project)
    statuses = question_statuses(ledger, verdicts)
    parts = []
    for track in ledger.tracks:
        asked = [question for question in ledger.questions if question.track == track.id]
        if not asked:
            continue
        rows = [
            [
                f"**{question.id}** {question.text}",
                markup.badge(statuses[question.id].capitalize(), statuses[question.id].lower()),
                _answers(project, question.id, verdicts),
            ]
            for question in asked
        ]
        parts += [
            f"## {track.title} {{.unnumbered}}",
            markup.pipe_table(["Question", "Status", "Hypotheses"], rows),
        ]
    return markup.join(*parts)


def progress(project: Project, verdicts: Sequence[Verdict], only: str | None = None) -> Markdown:
    """Every track: its phases and features with their stages, and the open gates.

    Args:
        only: the id of a single track to show, without a heading.

    Raises:
        LabError: there is no such track.
    """
    tracks = tracks_progress(project, load_ledger(project), verdicts)
    titles = {phase.phase.id: phase.phase.title for track in tracks for phase in track.phases}
    if only is not None:
        _find_track(load_ledger(project), only)
        (track,) = (track for track in tracks if track.track.id == only)
        return markup.join(*_state(track, titles))
    return markup.join(
        *(part for track in tracks for part in (_heading(track), *_state(track, titles)))
    )


def statistics(project: Project, verdicts: Sequence[Verdict], track_id: str) -> Markdown:
    """The runs, tokens, seconds and verdicts of each experiment of a track, and their sums.

    Counts the runs that the chapters show, those of the best evidence, and no checks.

    Raises:
        LabError: there is no such track, or one of its experiments has no results.
    """
    ledger = load_ledger(project)
    _find_track(ledger, track_id)
    counted = [
        _Count.of(best_evidence(project, name), verdicts)
        for question in ledger.questions
        for name, experiment in catalog().items()
        if question.track == track_id and experiment.question == question.id
    ]
    rows = [
        [f"{count.title} ({chapter_of(project, count.name)}), {count.scale}", *count.cells()]
        for count in counted
    ]
    rows.append(["**Together**", *sum(counted[1:], counted[0]).cells()])
    words = [f"{SIGNS[word]} {word.capitalize()}" for word in WORDS]
    header = ["Experiment, scale", "Runs", "Tokens", "Time", *words]
    return Markdown(markup.pipe_table(header, rows, numeric=range(1, len(header))))


@dataclass(frozen=True)
class _Count:
    """The cost of experiments, and the number of their findings with each of the `WORDS`."""

    name: str
    title: str
    scale: str
    runs: int
    diverged: int
    tokens: int
    seconds: float
    verdicts: tuple[int, ...]

    @classmethod
    def of(cls, evidence: Evidence, verdicts: Sequence[Verdict]) -> "_Count":
        runs, name = evidence.runs, evidence.experiment.name
        own = [
            verdict.word
            for verdict in verdicts
            if verdict.hypothesis.experiment == name and not verdict.is_check
        ]
        return cls(
            name,
            evidence.experiment.title,
            evidence.scale,
            len(runs),
            int((runs["status"] == "diverged").sum()),
            int(runs["tokens"].sum()),
            float(runs["seconds"].sum()),
            tuple(own.count(word) for word in WORDS),
        )

    def __add__(self, other: "_Count") -> "_Count":
        return replace(
            self,
            runs=self.runs + other.runs,
            diverged=self.diverged + other.diverged,
            tokens=self.tokens + other.tokens,
            seconds=self.seconds + other.seconds,
            verdicts=tuple(map(operator.add, self.verdicts, other.verdicts)),
        )

    def cells(self) -> list[str]:
        runs = f"{self.runs:,}, {self.diverged} diverged" if self.diverged else f"{self.runs:,}"
        tokens = f"{self.tokens / 1e6:,.1f} M" if self.tokens >= 1e5 else f"{self.tokens:,}"
        if not self.tokens:  # these runs do not count theirs
            tokens = markup.NOTHING
        took = [runs, *(text.replace(" ", NO_BREAK) for text in (tokens, duration(self.seconds)))]
        return took + [str(count) for count in self.verdicts]


def chapter_of(project: Project, experiment: str) -> str:
    """A reference to the section on the results of an experiment; its name if there is none."""
    chapter = project.chapters / "results" / f"{experiment}.py"
    if chapter.is_file() and (labels := _LABEL.findall(read_text(chapter))):
        return f"@{labels[0]}"
    shown = _calls_that_show(project, experiment)
    for other in sorted(project.chapters.glob("*/*.py")):
        before, *after = shown.split(read_text(other), maxsplit=1)
        if after and (labels := _LABEL.findall(before)):
            return f"@{labels[-1]}"
    return f"`{experiment}`"


def _calls_that_show(project: Project, experiment: str) -> re.Pattern[str]:
    """The calls with which chapters on something else show an experiment."""
    own = [one.id for one in load_ledger(project).hypotheses if one.experiment == experiment]
    calls = [f'command("{experiment}")', *(f'verdict("{name}")' for name in own)]
    return re.compile("|".join(map(re.escape, calls)))


def _of_track(ledger: Ledger, track: Track, verdicts: Sequence[Verdict]) -> list[Verdict]:
    questions = {question.id for question in ledger.questions if question.track == track.id}
    return [verdict for verdict in verdicts if verdict.hypothesis.question in questions]


def _count(verdicts: Sequence[Verdict], word: str) -> int:
    """The number of findings with a word; checks do not count."""
    return sum(each.word == word for each in verdicts if not each.is_check)


def _checks(verdicts: Sequence[Verdict]) -> str:
    """How many checks hold, of how many."""
    checks = [each for each in verdicts if each.is_check]
    if not checks:
        return markup.NOTHING
    return f"{sum(check.word == 'SUPPORTED' for check in checks)} of {len(checks)}"


def _standing(verdicts: Sequence[Verdict]) -> str:
    """The scales that the verdicts rest on, the largest first, with their kinds of machine."""
    manifests = [each.manifest for each in verdicts if each.manifest]
    standing = [
        f"{scale} on {processors(found)}"
        for scale in reversed(SCALES)
        if (found := [manifest.device for manifest in manifests if manifest.scale == scale])
    ]
    return "; ".join(standing) or "none yet"


def _tested_at(verdict: Verdict) -> str:
    return f"{verdict.scale or ''}{', stale' if verdict.changes else ''}"


def _scale(name: str, verdict: Verdict) -> str:
    """A scale with the size of its models, if that is known, and whether its table is stale."""
    scope = verdict.scope
    size = [boxes.parameters_text(scope)] if scope and scope.parameters else []
    notes = [*size, *(["stale"] if verdict.changes else [])]
    return f"{name}: {', '.join(notes)}" if notes else name


def _effect(verdict: Verdict) -> str:
    if verdict.judgement is None:
        return markup.NOTHING
    effect = f"{effects.effect_text(verdict)} ({effects.ends_text(verdict)})"
    return f"{effect}, {numbers.sample(verdict.judgement.n)}"


def _unit(verdict: Verdict) -> str:
    """The unit of the claim: that of the verdict, or of the metric if there is no effect yet."""
    hypothesis = verdict.hypothesis
    if verdict.judgement is not None:
        return verdict.judgement.unit
    if hypothesis.claim in ("monotone", "interval"):
        return "1"
    return catalog()[hypothesis.experiment].metric(hypothesis.metric).unit


def _order(verdict: Verdict) -> str:
    """A warning if the hypothesis does not precede its result."""
    return {"after": ", **after its result**", "same commit": ", **with its result**"}.get(
        verdict.registration.order, ""
    )


def _answers(project: Project, question: str, verdicts: Sequence[Verdict]) -> str:
    own = [verdict for verdict in verdicts if verdict.hypothesis.question == question]
    answers = [
        f"{verdict.hypothesis.id}\N{NO-BREAK SPACE}{boxes.verdict_badge(verdict)}"
        for verdict in own
    ]
    chapters = dict.fromkeys(chapter_of(project, v.hypothesis.experiment) for v in own)
    return f"{' '.join(answers)} in {', '.join(chapters)}" if own else "none yet"


def _find_track(ledger: Ledger, track_id: str) -> None:
    """Raise LabError, with the nearest id, if the ledger has no such track."""
    known = [track.id for track in ledger.tracks]
    if track_id not in known:
        raise LabError(
            f"there is no track '{track_id}'{suggestion(track_id, known)}; "
            f"use one of {', '.join(known)}."
        )


def _heading(track: TrackProgress) -> str:
    return f"## {track.track.title} {{.unnumbered}}"


def _state(track: TrackProgress, titles: Mapping[str, str]) -> Iterator[str]:
    yield f"{track.track.goal} {track.done} of {len(track.features)} features done."
    rows = [row for phase in track.phases for row in _phase_rows(phase, titles)]
    yield markup.pipe_table(["Phase and feature", "State"], rows)
    open_gates = [
        f"{feature.feature.title}: {'; '.join(map(_quiet, feature.missing))}"
        for feature in track.features
        if feature.missing
    ]
    if open_gates:
        yield markup.details("Open gates", markup.bullets(open_gates))


def _phase_rows(phase: PhaseProgress, titles: Mapping[str, str]) -> Iterator[list[str]]:
    kinds = {"waiting": "todo", "open": "todo", "under way": "exploring", "finished": "done"}
    waits_for = ", ".join(f"*{titles[name]}*" for name in phase.waits_for)
    after = f" Follows {waits_for}." if waits_for else ""
    state = markup.badge(phase.state.capitalize(), kinds[phase.state])
    yield [f"**{phase.phase.title}**. {phase.phase.goal}{after}", state]
    yield from (_feature_row(feature) for feature in phase.features)


def _feature_row(feature: FeatureProgress) -> list[str]:
    kind = "done" if feature.done else "todo" if feature.stage == "planned" else "exploring"
    return [f"· {feature.feature.title}", markup.badge(feature.stage.capitalize(), kind)]


def _quiet(gate: str) -> str:
    """A gate with its file names set as code."""
    return re.sub(r"([\w./]+\.\w+)", r"`\1`", gate)

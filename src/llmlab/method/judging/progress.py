"""The progress of each track, computed from gates (files, tables, verdicts), never by hand."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from llmlab.method.declare.catalog import experiment_names
from llmlab.method.declare.experiment import SCALES
from llmlab.method.evidence.lookup import fresh_evidence, recorded_evidence
from llmlab.method.judging.ledger import Feature, Ledger, Phase, Question, Track
from llmlab.method.judging.verdict import Verdict
from llmlab.method.project import Project

Status = Literal["OPEN", "EXPLORING", "ANSWERED", "SUPERSEDED"]
Stage = Literal[
    "planned",
    "code ready",
    "run at smoke",
    "recorded at laptop",
    "recorded at gpu",
    "answered",
]
"""The stages of a feature; each includes those before it."""
PhaseState = Literal["waiting", "open", "under way", "finished"]

RECORDED: Mapping[str, Stage] = {
    "smoke": "run at smoke",
    "laptop": "recorded at laptop",
    "gpu": "recorded at gpu",
}


@dataclass(frozen=True)
class FeatureProgress:
    """The progress of a feature.

    Attributes:
        missing: the gates not yet passed, in words; empty if the feature is done.
    """

    feature: Feature
    stage: Stage
    missing: tuple[str, ...]

    @property
    def done(self) -> bool:
        return not self.missing


@dataclass(frozen=True)
class PhaseProgress:
    """The progress of a phase.

    Finished once its exit is met, and under way from its first feature on. Before that it is open,
    or waiting until its entry is met.

    Attributes:
        waits_for: the unfinished phases before it.
    """

    phase: Phase
    waits_for: tuple[str, ...]
    features: tuple[FeatureProgress, ...]

    @property
    def entry_met(self) -> bool:
        return not self.waits_for

    @property
    def exit_met(self) -> bool:
        return all(feature.done for feature in self.features)

    @property
    def state(self) -> PhaseState:
        if self.exit_met:
            return "finished"
        if any(feature.stage != "planned" for feature in self.features):
            return "under way"
        return "open" if self.entry_met else "waiting"


@dataclass(frozen=True)
class TrackProgress:
    """The progress of a track."""

    track: Track
    phases: tuple[PhaseProgress, ...]

    @property
    def features(self) -> tuple[FeatureProgress, ...]:
        return tuple(feature for phase in self.phases for feature in phase.features)

    @property
    def done(self) -> int:
        """The number of finished features."""
        return sum(feature.done for feature in self.features)


def question_statuses(ledger: Ledger, verdicts: Iterable[Verdict]) -> dict[str, Status]:
    """The status of each question, by id.

    OPEN: no hypothesis is tested. ANSWERED: all are SUPPORTED or REFUTED. EXPLORING: anything in
    between. SUPERSEDED: as written in the ledger. Superseded hypotheses do not count.
    """
    superseded = {hypothesis.supersedes for hypothesis in ledger.hypotheses}
    words: dict[str, list[str]] = {question.id: [] for question in ledger.questions}
    for verdict in verdicts:
        if verdict.hypothesis.id not in superseded:
            words[verdict.hypothesis.question].append(verdict.word)
    return {question.id: _status(question, words[question.id]) for question in ledger.questions}


def progress(
    project: Project, ledger: Ledger, verdicts: Iterable[Verdict]
) -> tuple[TrackProgress, ...]:
    """The progress of every track in the ledger."""
    gates = _Gates(project, question_statuses(ledger, verdicts))
    features = {
        phase.id: tuple(gates.progress(feature) for feature in phase.features)
        for track in ledger.tracks
        for phase in track.phases
    }
    finished = {name for name, those in features.items() if all(one.done for one in those)}
    return tuple(
        TrackProgress(
            track,
            tuple(
                PhaseProgress(
                    phase,
                    tuple(earlier for earlier in phase.after if earlier not in finished),
                    features[phase.id],
                )
                for phase in track.phases
            ),
        )
        for track in ledger.tracks
    )


def _status(question: Question, words: Sequence[str]) -> Status:
    if question.superseded_by:
        return "SUPERSEDED"
    if all(word == "UNTESTED" for word in words):
        return "OPEN"
    decided = all(word in ("SUPPORTED", "REFUTED") for word in words)
    return "ANSWERED" if decided else "EXPLORING"


@dataclass(frozen=True)
class _Gates:
    """Checks the gates of features."""

    project: Project
    statuses: Mapping[str, Status]

    def progress(self, feature: Feature) -> FeatureProgress:
        written = [name for name in feature.experiments if name in experiment_names()]
        scales = {name: self.largest_scale(name) for name in written}
        code = list(self.missing_code(feature))
        evidence = [*missing_runs(feature, scales), *self.missing_answers(feature)]
        chapters = list(self.missing_chapters(feature))
        if code or (not has_code(feature) and (evidence or chapters)):
            stage = "planned"
        elif feature.questions and not evidence:
            stage = "answered"
        else:
            stage = stage_of_runs(scales.values())
        return FeatureProgress(feature, stage, (*code, *evidence, *chapters))

    def missing_code(self, feature: Feature) -> Iterator[str]:
        for module in feature.modules:
            for path in (source_of(module), tests_of(module)):
                if not self.exists(path):
                    yield f"{path} is not written"
        for name in feature.experiments:
            if name not in experiment_names():
                yield f"experiment {name} is not written"
        for path in feature.files:
            if not self.exists(path):
                yield f"{path} does not exist"

    def missing_answers(self, feature: Feature) -> Iterator[str]:
        for question in feature.questions:
            if self.statuses[question] != "ANSWERED":
                yield f"question {question} is {self.statuses[question].lower()}"

    def missing_chapters(self, feature: Feature) -> Iterator[str]:
        for chapter in feature.chapters:
            if not self.exists(f"chapters/{chapter}"):
                yield f"chapter {chapter} is not written"

    def exists(self, path: str) -> bool:
        return (self.project.root / path).exists()

    def largest_scale(self, name: str) -> str | None:
        """The largest scale at which the experiment is recorded; a fresh smoke run counts, too."""
        recorded = [scale for scale in SCALES if recorded_evidence(self.project, name, scale)]
        if recorded:
            return recorded[-1]
        return "smoke" if fresh_evidence(self.project, name, "smoke") else None


def has_code(feature: Feature) -> bool:
    """Whether the feature needs more than answers and chapters."""
    return bool(feature.modules or feature.experiments or feature.files)


def missing_runs(feature: Feature, scales: Mapping[str, str | None]) -> Iterator[str]:
    """The experiments without runs at the feature's scale or above."""
    for name, scale in scales.items():
        if scale not in SCALES[SCALES.index(feature.scale) :]:
            yield f"experiment {name} is not recorded at {feature.scale}"


def stage_of_runs(scales: Iterable[str | None]) -> Stage:
    """The stage of a feature whose code exists, from the largest scale of each experiment."""
    scales = list(scales)
    if not scales or None in scales:
        return "code ready"
    return RECORDED[min(scales, key=SCALES.index)]


def source_of(module: str) -> str:
    """The file of a module, relative to the root of the project."""
    return f"src/{module.replace('.', '/')}.py"


def tests_of(module: str) -> str:
    """The file of a module's tests: `tests/` mirrors the package."""
    *rooms, name = module.split(".")[1:]
    return "/".join(["tests", *rooms, f"test_{name}.py"])

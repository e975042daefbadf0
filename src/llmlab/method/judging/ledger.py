"""The ledger: questions, hypotheses and tracks, as written in `chapters/hypotheses/*.toml`.

All handwritten entries are checked here once, so that the rest of the book can trust them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import ConfigDict, Field, Strict, StringConstraints, TypeAdapter, ValidationError

from llmlab.method.declare.catalog import load_experiment, suggestion
from llmlab.method.declare.experiment import Experiment, Value
from llmlab.method.documents import parse_toml
from llmlab.method.errors import LabError
from llmlab.method.files import decoded, unreadable
from llmlab.method.project import Project

Claim = Literal["greater", "less", "equivalent", "monotone", "interval"]

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
QuestionId = Annotated[str, StringConstraints(pattern=r"^Q(-[A-Z0-9]+)+$")]
HypothesisId = Annotated[str, StringConstraints(pattern=r"^H(-[A-Z0-9]+)+$")]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Names = tuple[Text, ...]

CLAIM_KEYS = {
    "greater": {"margin"},
    "less": {"margin"},
    "equivalent": {"margin"},
    "monotone": {"along", "direction", "margin"},
    "interval": {"best", "interval"},
}
"""The keys that each claim requires in addition to those of every hypothesis."""

COMPARISONS = ("greater", "less", "equivalent")
"""The claims that compare a treatment with a control or a reference."""


class _Entry:
    __pydantic_config__ = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Question(_Entry):
    """One question in plain words; its status is computed, except for `superseded_by`."""

    id: QuestionId
    text: Text
    track: Text
    superseded_by: QuestionId | None = None


@dataclass(frozen=True)
class Hypothesis(_Entry):
    """One claim about one metric of one experiment, registered before the result.

    Attributes:
        reason: why we expect it, with its source.
        treatment, control: conditions fixed on each side; a trend or an optimum has no control.
        reference: a number to compare with instead of a control, in the unit of the metric.
        tuned: axes whose level is chosen for each side by the experiment's selection metric.
        chosen_by: another metric that chooses them; if it is `metric` itself, the best that each
            side reaches over all levels is compared.
        margin: in the unit of the metric; for "monotone" a rank correlation.
        along, direction: the axis and the direction of a trend ("monotone").
        best, interval: the axis whose best level is claimed to be in the interval, both ends
            included ("interval").
        family: name of the group of hypotheses to which Holm's correction applies.
        supersedes: the hypothesis that this one replaces.
        kind: a "check" follows from arithmetic or is too obvious to be a finding; it has no p
            value but counts in its family.
    """

    id: HypothesisId
    question: QuestionId
    experiment: Text
    title: Text
    statement: Text
    reason: Text
    metric: Text
    claim: Claim
    family: Text
    registered: Annotated[date, Strict()]
    treatment: dict[str, Value] = field(default_factory=dict)
    control: dict[str, Value] = field(default_factory=dict)
    reference: Number | None = None
    pairing: Literal["seed"] = "seed"
    tuned: Names = ()
    chosen_by: Text | None = None
    margin: Annotated[Number, Field(ge=0)] | None = None
    along: Text | None = None
    direction: Literal["increasing", "decreasing"] | None = None
    best: Text | None = None
    interval: tuple[Number, Number] | None = None
    alpha: Annotated[Number, Field(gt=0, lt=0.5)] = 0.05
    supersedes: HypothesisId | None = None
    kind: Literal["finding", "check"] = "finding"

    @property
    def is_frontier(self) -> bool:
        """Whether the sides are compared at the best that each reaches over all tuned levels."""
        return bool(self.tuned) and self.chosen_by == self.metric

    @property
    def swept(self) -> str | None:
        """The axis that a trend runs along or whose best level is claimed."""
        return self.along or self.best

    @property
    def claims_more(self) -> bool:
        """Whether the claim places the effect above the margin, not below."""
        if self.claim == "monotone":
            return self.direction == "increasing"
        return self.claim == "greater"

    @property
    def sides(self) -> dict[str, Mapping[str, Value]]:
        """The fixed conditions of each side that is compared, by its name in the ledger."""
        if self.swept or self.reference is not None:
            return {"treatment": self.treatment}
        return {"treatment": self.treatment, "control": self.control}


@dataclass(frozen=True)
class Feature(_Entry):
    """One feature that a track promises, with the gates that determine its progress.

    Attributes:
        modules: Python modules that must exist, each with its file of tests.
        experiments: experiments that must be recorded at `scale` or above.
        questions: questions that must be answered.
        chapters: chapters that must be written, below `chapters/`.
        files: other files that must exist, relative to the root of the project.
    """

    title: Text
    modules: Names = ()
    experiments: Names = ()
    questions: tuple[QuestionId, ...] = ()
    chapters: Names = ()
    files: Names = ()
    scale: Literal["smoke", "laptop", "gpu"] = "laptop"


@dataclass(frozen=True)
class Phase(_Entry):
    """Features that belong together.

    Entry: every phase in `after` is finished. Exit: all features pass all their gates.
    """

    id: Text
    title: Text
    goal: Text
    features: Annotated[tuple[Feature, ...], Field(alias="feature", min_length=1)]
    after: Names = ()


@dataclass(frozen=True)
class Track(_Entry):
    """One of the systems in the book, from its first phase to its last."""

    id: Text
    title: Text
    goal: Text
    phases: Annotated[tuple[Phase, ...], Field(alias="phase", min_length=1)]


@dataclass(frozen=True)
class Ledger:
    """All registered questions, hypotheses and tracks."""

    questions: tuple[Question, ...]
    hypotheses: tuple[Hypothesis, ...]
    tracks: tuple[Track, ...]

    def question(self, question_id: str) -> Question:
        """The question with this id; LabError with the nearest id if there is none."""
        return _find(self.questions, question_id, "question", "questions.toml")

    def hypothesis(self, hypothesis_id: str) -> Hypothesis:
        """The hypothesis with this id; LabError with the nearest id if there is none."""
        return _find(self.hypotheses, hypothesis_id, "hypothesis", "hypotheses.toml")


def load_ledger(
    project: Project, experiment: Callable[[str], Experiment] = load_experiment
) -> Ledger:
    """Read and check the three files of the ledger; imports neither torch nor any lab.

    Args:
        experiment: returns the experiment with a given name, or raises LabError.

    Raises:
        LabError: the first mistake found, with its file, entry and remedy.
    """
    questions = read_entries(project, "question", Question)
    hypotheses = read_entries(project, "hypothesis", Hypothesis)
    tracks = read_entries(project, "track", Track)
    ledger = Ledger(questions, hypotheses, tracks)
    _refuse(project, "question", _question_mistakes(ledger))
    _refuse(project, "hypothesis", _hypothesis_mistakes(ledger, experiment))
    _refuse(project, "track", _track_mistakes(ledger))
    return ledger


FILES = {"question": "questions.toml", "hypothesis": "hypotheses.toml", "track": "tracks.toml"}
"""The file of each kind of entry."""

T = TypeVar("T", Question, Hypothesis, Track)


def read_entries(project: Project, kind: str, entry_type: type[T]) -> tuple[T, ...]:
    """Read the entries of one kind and check each on its own."""
    adapter = TypeAdapter(entry_type)
    entries = []
    for position, raw in enumerate(_raw_entries(project, kind), start=1):
        name = raw.get("id", position)
        try:
            entries.append(adapter.validate_python(raw))
        except ValidationError as error:
            mistake = _in_words(error, entry_type)
            raise LabError(_sentence(project, kind, name, mistake)) from error
    repeated = [name for name, n in Counter(entry.id for entry in entries).items() if n > 1]
    _refuse(project, kind, ((name, "two entries have this id; rename one") for name in repeated))
    return tuple(entries)


def _raw_entries(project: Project, kind: str) -> list[dict[str, object]]:
    path = _path(project, kind)
    shown = path.relative_to(project.root)
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise LabError(f"{shown} is missing; create it (it may be empty).") from error
    except OSError as error:
        raise unreadable(shown, error) from error
    tables = parse_toml(decoded(content, shown), shown)
    for name in tables.keys() - {kind}:
        raise LabError(
            f"{shown}: unknown table '{name}'{suggestion(name, [kind])}; "
            f"start each entry with [[{kind}]]."
        )
    entries = tables.get(kind, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise LabError(f"{shown}: '{kind}' is not a list of tables; start each with [[{kind}]].")
    return entries


def _path(project: Project, kind: str) -> Path:
    return project.ledger / FILES[kind]


Mistake = tuple[object, str]
"""The id (or position) of an entry, and its mistake with the remedy."""


def _refuse(project: Project, kind: str, mistakes: Iterable[Mistake]) -> None:
    """Raise LabError for the first mistake, if there is one."""
    for name, mistake in mistakes:
        raise LabError(_sentence(project, kind, name, mistake))


def _sentence(project: Project, kind: str, name: object, mistake: str) -> str:
    return f"{_path(project, kind).relative_to(project.root)}: {kind} {name}: {mistake}."


def _in_words(error: ValidationError, entry_type: type) -> str:
    """Pydantic's first error as a phrase with its remedy."""
    first = error.errors(include_url=False)[0]
    branches = {"str", "int", "float", "bool"}  # pydantic names the branch of a union that it tried
    key = ".".join(str(part) for part in first["loc"] if part not in branches)
    if first["type"] == "missing":
        return f"'{key}' is missing; add it"
    if first["type"] == "unexpected_keyword_argument":
        return f"unknown key '{key}'{suggestion(key, _keys(entry_type))}; correct or remove it"
    wanted = _lower(first["msg"])
    if branches & set(first["loc"]):
        wanted = "it should be a single value"
    if first["type"] == "string_pattern_mismatch":
        wanted = "an id looks like Q-LR or H-LR-1"
    return f"'{key}' cannot be {first['input']!r}: {wanted}; correct it"


def _keys(entry_type: type) -> set[str]:
    return {*entry_type.__dataclass_fields__, "phase", "feature", *Feature.__dataclass_fields__}


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _claim_mistakes(hypothesis: Hypothesis) -> Iterator[str]:
    """Missing and unused keys of a claim."""
    claim = hypothesis.claim
    for key in sorted(set().union(*CLAIM_KEYS.values())):
        given = getattr(hypothesis, key) is not None
        if key in CLAIM_KEYS[claim] and not given:
            yield f"claim '{claim}' needs '{key}'; add it"
        if given and key not in CLAIM_KEYS[claim]:
            yield f"claim '{claim}' does not use '{key}'; remove it or change the claim"
    compared_with = bool(hypothesis.control) + (hypothesis.reference is not None)
    if claim in COMPARISONS and compared_with != 1:
        yield f"claim '{claim}' needs either 'control' or 'reference'; give one of them"
    if claim not in COMPARISONS and compared_with:
        yield f"claim '{claim}' makes no comparison; remove 'control' and 'reference'"


def _question_mistakes(ledger: Ledger) -> Iterator[Mistake]:
    tracks = [track.id for track in ledger.tracks]
    questions = [question.id for question in ledger.questions]
    for question in ledger.questions:
        if question.track not in tracks:
            yield question.id, _unknown("track", question.track, tracks, FILES["track"])
        if question.superseded_by not in (None, *questions):
            yield question.id, _unknown("question", question.superseded_by, questions)


def _hypothesis_mistakes(
    ledger: Ledger, experiment: Callable[[str], Experiment]
) -> Iterator[Mistake]:
    questions = [question.id for question in ledger.questions]
    hypotheses = [hypothesis.id for hypothesis in ledger.hypotheses]
    alphas: dict[str, float] = {}
    for hypothesis in ledger.hypotheses:
        if hypothesis.question not in questions:
            unknown = _unknown("question", hypothesis.question, questions, FILES["question"])
            yield hypothesis.id, unknown
        if hypothesis.supersedes not in (None, *hypotheses):
            yield hypothesis.id, _unknown("hypothesis", hypothesis.supersedes, hypotheses)
        if alphas.setdefault(hypothesis.family, hypothesis.alpha) != hypothesis.alpha:
            yield (
                hypothesis.id,
                f"its alpha {hypothesis.alpha} differs from that of others in the family "
                f"'{hypothesis.family}'; use the same alpha or another family",
            )
        try:
            design = experiment(hypothesis.experiment)
        except LabError as error:
            yield hypothesis.id, str(error).rstrip(".")
            continue
        for mistake in design_mistakes(hypothesis, design):
            yield hypothesis.id, mistake


def design_mistakes(hypothesis: Hypothesis, experiment: Experiment) -> Iterator[str]:
    """The reasons, if any, why the experiment cannot test the hypothesis."""
    yield from _claim_mistakes(hypothesis)
    metrics = {metric.name: metric for metric in experiment.metrics}
    axes = [axis.name for axis in experiment.axes]
    if hypothesis.metric not in metrics:
        yield _unknown("metric", hypothesis.metric, metrics, f"experiment {experiment.name}")
        return
    for axis in (*hypothesis.tuned, *filter(None, [hypothesis.swept])):
        if axis not in axes:
            yield _unknown("axis", axis, axes, f"experiment {experiment.name}")
            return
    for side, fixed in hypothesis.sides.items():
        yield from _side_mistakes(hypothesis, experiment, side, fixed)
    if hypothesis.tuned:
        yield from _tuning_mistakes(hypothesis, experiment)
    if hypothesis.chosen_by and not hypothesis.tuned:
        yield "'chosen_by' has nothing to choose; name the axes in 'tuned' or remove it"
    if hypothesis.control and hypothesis.treatment == hypothesis.control:
        yield "treatment and control are the same; change one"
    if hypothesis.claim == "equivalent" and hypothesis.margin == 0:
        yield "claim 'equivalent' needs a margin above 0; give one"
    if hypothesis.claim == "interval":
        yield from _optimum_mistakes(hypothesis, experiment)


def _side_mistakes(
    hypothesis: Hypothesis, experiment: Experiment, side: str, fixed: Mapping[str, Value]
) -> Iterator[str]:
    levels = _levels(experiment)
    for axis, level in fixed.items():
        if axis not in levels:
            yield f"{side}: " + _unknown("axis", axis, levels, f"experiment {experiment.name}")
        elif level not in levels[axis]:
            yield (
                f"{side}: {axis} = {level!r} is not a level of experiment {experiment.name} at any "
                f"scale; use one of {', '.join(map(repr, levels[axis]))}"
            )
    if {*fixed} & {*hypothesis.tuned, hypothesis.swept}:
        twice = sorted({*fixed} & {*hypothesis.tuned, hypothesis.swept})[0]
        yield f"{side}: {twice} is both fixed and free; remove it from one place"
    settled = {*fixed, *hypothesis.tuned, hypothesis.swept}
    for scale, budget in experiment.budgets.items():
        for axis, values in budget.conditions.items():
            if axis not in settled and len(values) > 1:
                yield (
                    f"{side}: {axis} has {len(values)} levels at {scale} and none is chosen; "
                    f"fix it in {side} or add it to 'tuned'"
                )


def _tuning_mistakes(hypothesis: Hypothesis, experiment: Experiment) -> Iterator[str]:
    selection = hypothesis.chosen_by or experiment.selection_metric
    metrics = [metric.name for metric in experiment.metrics]
    if hypothesis.swept in hypothesis.tuned:
        yield f"{hypothesis.swept} is both swept and tuned; remove it from 'tuned'"
    if hypothesis.claim == "interval":
        yield "claim 'interval' needs all other axes fixed; remove 'tuned'"
    if selection is None:
        yield f"experiment {experiment.name} has no selection_metric to tune by; add one there"
    elif selection not in metrics:
        yield _unknown("metric", selection, metrics, f"experiment {experiment.name}")
    elif experiment.metric(selection).direction == "none":
        yield f"metric '{selection}' has no direction and cannot tune; give it one"
    elif selection == hypothesis.metric and hypothesis.chosen_by is None:
        yield (
            f"metric '{selection}' tunes each side and cannot also be compared; choose another, or "
            "set chosen_by to compare the best over all levels"
        )
    elif hypothesis.is_frontier and not (
        hypothesis.claim in ("greater", "less") and hypothesis.control
    ):
        yield "the best over all levels needs claim 'greater' or 'less' and a control; give both"


def _optimum_mistakes(hypothesis: Hypothesis, experiment: Experiment) -> Iterator[str]:
    low, high = hypothesis.interval
    levels = _levels(experiment)[hypothesis.best]
    if experiment.metric(hypothesis.metric).direction == "none":
        yield f"metric '{hypothesis.metric}' has no direction; choose one that has"
    if not all(is_number(level) for level in levels):
        yield f"the levels of {hypothesis.best} are not numbers; choose an axis of numbers"
        return
    if low >= high:
        yield f"interval [{low}, {high}] is empty; give the lower end first"
    elif all(low <= level <= high for level in levels):
        yield f"interval [{low}, {high}] contains every level; make it narrower"


def _track_mistakes(ledger: Ledger) -> Iterator[Mistake]:
    questions = [question.id for question in ledger.questions]
    phases = [phase.id for track in ledger.tracks for phase in track.phases]
    for track in ledger.tracks:
        for phase in track.phases:
            if phases.count(phase.id) > 1:
                yield track.id, f"two phases have the id '{phase.id}'; rename one"
            for earlier in phase.after:
                if earlier not in phases:
                    yield track.id, f"phase {phase.id}: " + _unknown("phase", earlier, phases)
            for feature in phase.features:
                for mistake in _feature_mistakes(feature, questions):
                    yield track.id, f"phase {phase.id}: feature '{feature.title}': {mistake}"
    after = {phase.id: phase.after for track in ledger.tracks for phase in track.phases}
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        circle = error.args[1]
        owner = next(t.id for t in ledger.tracks if circle[0] in {phase.id for phase in t.phases})
        yield owner, f"phases wait for each other ({' after '.join(circle)}); break the cycle"


def _feature_mistakes(feature: Feature, questions: Sequence[str]) -> Iterator[str]:
    gates = (feature.modules, feature.experiments, feature.questions)
    if not any((*gates, feature.chapters, feature.files)):
        yield "it has no gates; name modules, experiments, questions, chapters or files"
    for question in feature.questions:
        if question not in questions:
            yield _unknown("question", question, questions, FILES["question"])


def is_number(level: Value) -> bool:
    """Whether a level is a number, so that a sweep over it has two edges."""
    return isinstance(level, int | float) and not isinstance(level, bool)


def _levels(experiment: Experiment) -> dict[str, list[Value]]:
    """The levels of each axis, over all scales."""
    levels: dict[str, list[Value]] = {axis.name: [] for axis in experiment.axes}
    for budget in experiment.budgets.values():
        for axis, values in budget.conditions.items():
            levels[axis] += [value for value in values if value not in levels[axis]]
    return levels


def _unknown(kind: str, name: object, known: Iterable[str], place: str | None = None) -> str:
    known = sorted(known)
    where = f" in {place}" if place else ""
    nearest = suggestion(str(name), known)
    return f"there is no {kind} '{name}'{where}{nearest}; known: {', '.join(known) or 'none yet'}"


def _find(entries: Sequence[T], entry_id: str, kind: str, file: str) -> T:
    for entry in entries:
        if entry.id == entry_id:
            return entry
    known = [entry.id for entry in entries]
    raise LabError(
        f"there is no {kind} '{entry_id}' in chapters/hypotheses/{file}"
        f"{suggestion(entry_id, known)}; register it there first."
    )

"""The ledger: registered questions, hypotheses and tracks.

`ledger_files` reads it from `chapters/hypotheses/*.toml` and checks it once, so that the rest of
the book can trust it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Literal, TypeVar

from pydantic import ConfigDict, Field, Strict, StringConstraints

from llmlab.method.declare.catalog import suggestion
from llmlab.method.declare.experiment import Value
from llmlab.method.errors import LabError

Claim = Literal["greater", "less", "equivalent", "monotone", "interval"]

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
QuestionId = Annotated[str, StringConstraints(pattern=r"^Q(-[A-Z0-9]+)+$")]
HypothesisId = Annotated[str, StringConstraints(pattern=r"^H(-[A-Z0-9]+)+$")]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Names = tuple[Text, ...]

FILES = {"question": "questions.toml", "hypothesis": "hypotheses.toml", "track": "tracks.toml"}
"""The file of each kind of entry."""


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
        return _find(self.questions, question_id, "question")

    def hypothesis(self, hypothesis_id: str) -> Hypothesis:
        """The hypothesis with this id; LabError with the nearest id if there is none."""
        return _find(self.hypotheses, hypothesis_id, "hypothesis")


T = TypeVar("T", Question, Hypothesis, Track)


def _find(entries: Sequence[T], entry_id: str, kind: str) -> T:
    for entry in entries:
        if entry.id == entry_id:
            return entry
    known = [entry.id for entry in entries]
    raise LabError(
        f"there is no {kind} '{entry_id}' in chapters/hypotheses/{FILES[kind]}"
        f"{suggestion(entry_id, known)}; register it there first."
    )

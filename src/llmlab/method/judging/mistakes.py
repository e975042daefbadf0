"""Mistakes in the entries of a ledger, each as a phrase with its remedy."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from llmlab.method.declare.catalog import suggestion
from llmlab.method.declare.experiment import Experiment, Value
from llmlab.method.errors import LabError
from llmlab.method.judging.ledger import FILES, Feature, Hypothesis, Ledger
from llmlab.method.levels import is_number

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

Mistake = tuple[object, str]
"""The id (or position) of an entry, and its mistake with the remedy."""


def question_mistakes(ledger: Ledger) -> Iterator[Mistake]:
    tracks = [track.id for track in ledger.tracks]
    questions = [question.id for question in ledger.questions]
    for question in ledger.questions:
        if question.track not in tracks:
            yield question.id, _unknown("track", question.track, tracks, FILES["track"])
        if question.superseded_by not in (None, *questions):
            yield question.id, _unknown("question", question.superseded_by, questions)


def hypothesis_mistakes(
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
    if twice := {*fixed} & {*hypothesis.tuned, hypothesis.swept}:
        yield f"{side}: {min(twice)} is both fixed and free; remove it from one place"
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


def track_mistakes(ledger: Ledger) -> Iterator[Mistake]:
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

"""The tables of whole pages: means, method, ledger, question log, progress, appendices."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd
import pandera.pandas as pa
from IPython.display import Markdown

from llmlab.book import boxes, markup, numbers
from llmlab.book.readings import Reading, label, provenance
from llmlab.method import evidence as evidence_rules
from llmlab.method import reproduction as reproductions
from llmlab.method.catalog import catalog
from llmlab.method.evidence import Evidence
from llmlab.method.experiment import SCALES, Experiment, Metric
from llmlab.method.ledger import Ledger, Track, load_ledger
from llmlab.method.progress import (
    FeatureProgress,
    PhaseProgress,
    TrackProgress,
    question_statuses,
)
from llmlab.method.progress import progress as tracks_progress
from llmlab.method.project import Project
from llmlab.method.reproduction import Agreement
from llmlab.method.tables import CURVES_SCHEMA, runs_schema
from llmlab.method.verdicts import SIGNS, Verdict

WORDS = ("SUPPORTED", "REFUTED", "UNDECIDED", "UNTESTED")
STAGE_BADGES: Mapping[str, str] = {
    "planned": "todo",
    "code ready": "partial",
    "run at smoke": "exploring",
    "recorded at laptop": "current",
    "recorded at gpu": "current",
    "answered": "answered",
}
NOTHING = "–"


# --- parts of a results page


def means_table(columns: Sequence[Sequence[Reading]], axes: Sequence[str]) -> str:
    """A row for each condition: its levels, each metric with interval and mark, n, diverged."""
    header = [*map(label, axes)]
    metrics = [column[0].metric for column in columns]
    header += [label(metric.name) + numbers.bracket(metric.unit) for metric in metrics]
    diverged = any(reading.diverged for reading in columns[0])
    header += ["n", "diverged"] if diverged else ["n"]
    rows = []
    for readings in zip(*columns, strict=True):
        row = [numbers.level(readings[0].condition[axis]) for axis in axes]
        row += [_mean_cell(reading) for reading in readings]
        row += [str(readings[0].n), *([str(readings[0].diverged)] if diverged else [])]
        rows.append(row)
    return markup.pipe_table(header, rows, numeric=range(len(axes), len(header)))


def source_line(evidence: Evidence, columns: Sequence[Sequence[Reading]]) -> str:
    """What the marks of a table mean, and where its numbers stand, in small type."""
    text = "Mean ± half of the 95 % interval over n seeds."
    if any(reading.best for column in columns for reading in column):
        text += (
            " **Bold**: the best; ≈: not told apart from it (paired t test over seeds, "
            "Holm's correction, α = 0.05)."
        )
    return markup.box(["source"], [f"{text} Source: {provenance(evidence)}."])


def figure_numbers(
    evidence: Evidence, columns: Sequence[Sequence[Reading]], axes: Sequence[str]
) -> str:
    """The numbers of a figure, folded: a column for each metric."""
    table = means_table(columns, axes)
    return markup.details("The numbers of this figure", table, source_line(evidence, columns))


def curve_numbers(evidence: Evidence, metric: Metric, curves: pd.DataFrame, line: str) -> str:
    """The last point of each curve, folded."""
    last = curves.loc[curves.groupby(line, sort=False)["step"].idxmax()]
    rows = [
        [
            label(numbers.level(row[line])),
            str(row["step"]),
            numbers.number(row["mean"], metric.unit),
            _interval(row["low"], row["high"], metric),
            str(row["n"]),
        ]
        for row in last.to_dict("records")
    ]
    header = [label(line), "last step", "mean", "95 % interval", "n"]
    table = markup.pipe_table(header, rows, numeric=range(1, len(header)))
    return markup.details("The numbers of this figure", table, _source(evidence, "curves.parquet"))


def footer(evidence: Evidence) -> str:
    """The line below a figure."""
    text = f"{evidence.experiment.name}, {evidence.scale} scale, bars and bands: 95 % intervals"
    text += f", commit {evidence.manifest.git_commit[:7]}"
    if evidence.scale == "smoke":
        text += " · SMOKE RUNS: no evidence"
    return f"{text} · STALE" if evidence.changes else text


def caution(evidence: Evidence) -> str:
    """A callout about evidence that is only smoke or older than the code; empty if neither."""
    name = evidence.experiment.name
    notes = []
    if evidence.scale == "smoke":
        notes.append(
            f"Only smoke runs of `{name}` exist so far. They prove that its code runs; their "
            "numbers are no evidence."
        )
    if evidence.changes:
        notes.append(
            f"The tables of `{name}` are older than the code. Changed since: "
            f"{', '.join(evidence.changes)}."
        )
    return markup.box(["callout-warning"], notes) if notes else ""


def method(evidence: Evidence) -> Markdown:
    """Conditions, seeds and budget of one experiment, and what its runs cost."""
    experiment, scale = evidence.experiment, evidence.scale
    budget = experiment.budgets[scale]
    runs = evidence.runs
    rows = [
        [label(axis.name) + numbers.bracket(axis.unit), _levels(budget.conditions[axis.name])]
        for axis in experiment.axes
    ]
    rows += [
        ["seeds", str(budget.seeds)],
        *([label(name), numbers.level(level)] for name, level in budget.settings.items()),
        ["needs", ", ".join(experiment.needs) or "nothing"],
        ["measures", ", ".join(label(metric.name) for metric in experiment.metrics)],
        ["runs", f"{len(runs)}, of which {_statuses(runs)}"],
        ["computing time", f"{_duration(runs['seconds'].sum())} summed over the runs"],
        ["computed on", evidence.manifest.device],
        ["shown here", provenance(evidence)],
    ]
    if experiment.selection_metric:
        chosen = label(experiment.selection_metric)
        rows.insert(len(experiment.axes), ["chosen by", f"best {chosen}, where an axis is tuned"])
    return Markdown(markup.pipe_table(["Setting", "Value"], rows))


# --- front page and ledger


def summary(project: Project, verdicts: Sequence[Verdict]) -> Markdown:
    """For each track its hypotheses by verdict, and what the evidence stands on."""
    ledger = load_ledger(project)
    rows = [
        [
            f"**{track.title}**",
            *(str(_count(ledger, track, verdicts, word)) for word in WORDS),
            _standing(ledger, track, verdicts),
        ]
        for track in ledger.tracks
    ]
    header = ["Lab", *(f"{SIGNS[word]} {word.capitalize()}" for word in WORDS), "Evidence"]
    return Markdown(markup.pipe_table(header, rows, numeric=range(1, 1 + len(WORDS))))


def ledger(project: Project, verdicts: Sequence[Verdict]) -> Markdown:
    """Every hypothesis: what it claims, when it was registered, effect, verdict."""
    rows = [
        [
            f"**{verdict.hypothesis.id}** {verdict.hypothesis.title}",
            boxes.verdict_badge(verdict),
            _effect(verdict),
            boxes.claim_text(verdict.hypothesis, _unit(verdict)),
            f"{verdict.scale or NOTHING}{', stale' if verdict.changes else ''}",
            f"{verdict.hypothesis.registered}{_order(verdict)}",
            chapter_of(project, verdict.hypothesis.experiment),
        ]
        for verdict in verdicts
    ]
    header = ["Hypothesis", "Verdict", "Effect", "Claimed", "Scale", "Registered", "Tested in"]
    return Markdown(markup.pipe_table(header, rows))


def questions(project: Project, verdicts: Sequence[Verdict]) -> Markdown:
    """Every question by track: status, and the hypotheses that test it."""
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
            f"**{track.title}**",
            markup.pipe_table(["Question", "Status", "Hypotheses"], rows),
        ]
    return markup.join(*parts)


def progress(project: Project, verdicts: Sequence[Verdict]) -> Markdown:
    """Every track: its phases and features with their stages, and the gates that stand open."""
    ledger = load_ledger(project)
    return markup.join(
        *(part for track in tracks_progress(project, ledger, verdicts) for part in _track(track))
    )


# --- appendices


def dictionary() -> Markdown:
    """The columns of every experiment's tables."""
    parts = []
    for experiment in catalog().values():
        parts += [
            f"**`{experiment.name}/runs.csv`**. {runs_schema(experiment).description}",
            _columns(runs_schema(experiment)),
            *_curve_names(experiment),
        ]
    parts += [
        f"**`*/curves.parquet`**. {CURVES_SCHEMA.description}",
        _columns(CURVES_SCHEMA),
    ]
    return markup.join(*parts)


def provenance_table(project: Project) -> Markdown:
    """Every table that there is, with state, commit, machine and command."""
    found = list(_all_evidence(project))
    rows = [
        [
            f"`{evidence.experiment.name}`",
            evidence.scale,
            evidence.origin,
            markup.badge(evidence.state.capitalize(), evidence.state),
            str(evidence.manifest.rows),
            str(len(evidence.manifest.seeds)),
            _commit(evidence),
            evidence.manifest.finished[:10],
            evidence.manifest.device,
        ]
        for evidence in found
    ]
    header = [
        "Experiment", "Scale", "Origin", "State", "Runs", "Seeds", "Commit", "Date", "Hardware",
    ]  # fmt: skip
    return markup.join(
        markup.pipe_table(header, rows, numeric=(4, 5)), *map(_manifest_details, found)
    )


def reproduction(project: Project) -> Markdown:
    """The smoke runs made here against the recorded ones, metric by metric within tolerance."""
    agreements = reproductions.reproduction(project)
    if not agreements:
        return Markdown("No experiment has both fresh and recorded smoke runs here.")
    rows = [
        [
            f"`{agreement.experiment}`",
            _agreement_badge(agreement),
            f"{agreement.compared} of {agreement.rows}",
            _worst(agreement),
            ", ".join(agreement.changes) or "nothing",
        ]
        for agreement in agreements
    ]
    header = ["Experiment", "Rerun", "Runs compared", "Largest difference", "Changed since"]
    return markup.join(markup.pipe_table(header, rows), *map(_drift_details, agreements))


def tolerances() -> Markdown:
    """How far each metric may differ between machines before a rerun counts as drifted."""
    rows = [
        [f"`{experiment.name}`", label(metric.name), f"± {_tolerance(metric)}"]
        for experiment in catalog().values()
        for metric in experiment.metrics
    ]
    return Markdown(markup.pipe_table(["Experiment", "Metric", "Tolerance"], rows, numeric=(2,)))


def chapter_of(project: Project, experiment: str) -> str:
    """A reference to the results chapter of an experiment; its name where it has none."""
    path = project.chapters / "results" / f"{experiment}.py"
    heading = re.search(r"\{#(sec-[\w-]+)", path.read_text()) if path.is_file() else None
    return f"@{heading[1]}" if heading else f"`{experiment}`"


# --- details


def _mean_cell(reading: Reading) -> str:
    if reading.all_diverged:
        return "diverged"
    text = numbers.bare(reading.mean, reading.metric.unit)
    if reading.n > 1:
        half = (reading.high - reading.low) / 2
        text = numbers.plus_minus(reading.mean, half, reading.metric.unit)
    if reading.best:
        return f"**{text}**"
    return f"≈ {text}" if reading.ties else text


def _interval(low: float, high: float, metric: Metric) -> str:
    return NOTHING if pd.isna(low) else numbers.interval(low, high, metric.unit)


def _source(evidence: Evidence, file: str) -> str:
    return f"Source: `{file}` of {provenance(evidence)}."


def _levels(levels: Iterable) -> str:
    return ", ".join(map(numbers.level, levels))


def _statuses(runs: pd.DataFrame) -> str:
    return ", ".join(f"{count} {status}" for status, count in runs["status"].value_counts().items())


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes >= 1 else f"{seconds:.0f} s"


def _of_track(ledger: Ledger, track: Track, verdicts: Sequence[Verdict]) -> list[Verdict]:
    questions = {question.id for question in ledger.questions if question.track == track.id}
    return [verdict for verdict in verdicts if verdict.hypothesis.question in questions]


def _count(ledger: Ledger, track: Track, verdicts: Sequence[Verdict], word: str) -> int:
    return sum(verdict.word == word for verdict in _of_track(ledger, track, verdicts))


def _standing(ledger: Ledger, track: Track, verdicts: Sequence[Verdict]) -> str:
    standing = {
        f"{verdict.scale} on {verdict.hardware}": None
        for verdict in _of_track(ledger, track, verdicts)
        if verdict.scale
    }
    return "; ".join(standing) or "none yet"


def _effect(verdict: Verdict) -> str:
    if verdict.effect is None:
        return NOTHING
    return f"{boxes.effect_text(verdict)} ({boxes.ends_text(verdict)}), n = {verdict.n}"


def _unit(verdict: Verdict) -> str:
    """The unit of the claim: of the verdict, or of the metric where there is no effect yet."""
    hypothesis = verdict.hypothesis
    if verdict.unit is not None:
        return verdict.unit
    if hypothesis.claim in ("monotone", "interval"):
        return "1"
    return catalog()[hypothesis.experiment].metric(hypothesis.metric).unit


def _order(verdict: Verdict) -> str:
    """A warning where the hypothesis does not precede its result."""
    return {"after": ", **after its result**", "same commit": ", **with its result**"}.get(
        verdict.registration.order, ""
    )


def _answers(project: Project, question: str, verdicts: Sequence[Verdict]) -> str:
    own = [verdict for verdict in verdicts if verdict.hypothesis.question == question]
    answers = [f"{verdict.hypothesis.id} {boxes.verdict_badge(verdict)}" for verdict in own]
    chapters = dict.fromkeys(chapter_of(project, v.hypothesis.experiment) for v in own)
    return f"{', '.join(answers)} in {', '.join(chapters)}" if own else "none yet"


def _track(track: TrackProgress) -> Iterator[str]:
    yield f"**{track.track.title}**. {track.track.goal}"
    yield f"{track.done} of {len(track.features)} features done."
    rows = [row for phase in track.phases for row in _phase_rows(phase)]
    yield markup.pipe_table(["Phase and feature", "State"], rows)
    open_gates = [
        f"{feature.feature.title}: {'; '.join(map(_quiet, feature.missing))}"
        for feature in track.features
        if feature.missing
    ]
    if open_gates:
        yield markup.details("Gates that stand open", markup.bullets(open_gates))


def _phase_rows(phase: PhaseProgress) -> Iterator[list[str]]:
    kinds = {"waiting": "todo", "open": "todo", "under way": "exploring", "finished": "done"}
    after = f" (after {', '.join(phase.waits_for)})" if phase.waits_for else ""
    state = markup.badge(phase.state.capitalize(), kinds[phase.state])
    yield [f"**{phase.phase.title}**. {phase.phase.goal}{after}", state]
    yield from (_feature_row(feature) for feature in phase.features)


def _feature_row(feature: FeatureProgress) -> list[str]:
    kind = "done" if feature.done else STAGE_BADGES[feature.stage]
    return [f"· {feature.feature.title}", markup.badge(feature.stage.capitalize(), kind)]


def _quiet(gate: str) -> str:
    """A gate with its file names set as code."""
    return re.sub(r"([\w./]+\.\w+)", r"`\1`", gate)


def _type(column: pa.Column) -> str:
    kind = column.dtype.type
    if pd.api.types.is_integer_dtype(kind):
        return "integer"
    return "number" if pd.api.types.is_float_dtype(kind) else "text"


def _columns(schema: pa.DataFrameSchema) -> str:
    rows = [
        [
            f"`{name}`",
            _type(column),
            _unit_cell(column.metadata["unit"]),
            column.description,
        ]
        for name, column in schema.columns.items()
    ]
    return markup.pipe_table(["Column", "Type", "Unit", "Meaning"], rows)


def _unit_cell(unit: str) -> str:
    return NOTHING if unit == "1" else unit


def _curve_names(experiment: Experiment) -> Iterator[str]:
    if experiment.curves:
        rows = [
            [f"`{curve.name}`", _unit_cell(curve.unit), curve.description]
            for curve in experiment.curves
        ]
        yield "Its curves:"
        yield markup.pipe_table(["Curve", "Unit", "Meaning"], rows)


def _all_evidence(project: Project) -> Iterator[Evidence]:
    for name in catalog():
        for scale in reversed(SCALES):
            for find in (evidence_rules.recorded_evidence, evidence_rules.fresh_evidence):
                evidence = find(project, name, scale)
                if evidence is not None:
                    yield evidence


def _commit(evidence: Evidence) -> str:
    manifest = evidence.manifest
    return f"`{manifest.git_commit[:7]}`" + (" + changes" if manifest.git_dirty else "")


def _manifest_details(evidence: Evidence) -> str:
    manifest = evidence.manifest
    libraries = ", ".join(f"{name} {version}" for name, version in manifest.libraries.items())
    changed = f"Changed since: {', '.join(evidence.changes)}." if evidence.changes else ""
    checksums = [f"`{name}` SHA-256 `{digest[:16]}…`" for name, digest in manifest.sha256.items()]
    return markup.details(
        f"{manifest.experiment} at {manifest.scale} scale, {evidence.origin}",
        markup.code_block(manifest.command),
        f"{manifest.host}. {libraries}.",
        f"Digest of code and budget `{manifest.fingerprint.digest[:16]}…`, {', '.join(checksums)}.",
        changed,
    )


def _agreement_badge(agreement: Agreement) -> str:
    return (
        markup.badge("Agrees", "current") if agreement.agrees else markup.badge("Drifted", "stale")
    )


def _worst(agreement: Agreement) -> str:
    worst = agreement.worst
    if worst is None or worst.absolute == 0:
        return "none: equal"
    return (
        f"{label(worst.metric)} {worst.absolute:.2g} (tolerated {worst.tolerance:g}) "
        f"in `{worst.run_id}`"
    )


def _drift_details(agreement: Agreement) -> str:
    lines = [f"`{run_id}` stands in one table only" for run_id in agreement.missing]
    lines += [
        f"`{drift.run_id}`: {label(drift.metric)} {drift.fresh} here, {drift.recorded} recorded"
        for drift in agreement.drifted
    ]
    return (
        markup.details(f"What drifted in {agreement.experiment}", markup.bullets(lines))
        if lines
        else ""
    )


def _tolerance(metric: Metric) -> str:
    return numbers.change(metric.tolerance, metric.unit).lstrip("+")

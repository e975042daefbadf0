"""The parts of a results page made from a table of runs: tables, notes, method."""

from collections.abc import Iterable, Sequence

import pandas as pd
from IPython.display import Markdown

from llmlab.book import markup, numbers
from llmlab.book.evidence.origins import hardware, provenance
from llmlab.book.evidence.readings import Difference, Reading, find_axis, heading
from llmlab.method.declare.experiment import Metric
from llmlab.method.documents import listed
from llmlab.method.evidence.lookup import Evidence
from llmlab.method.levels import label


def means_table(
    evidence: Evidence, columns: Sequence[Sequence[Reading]], axes: Sequence[str]
) -> str:
    """One row per condition: its levels, each metric with interval and mark, n, diverged."""
    header = [heading(find_axis(evidence.experiment, axis)) for axis in axes]
    header += [heading(column[0].metric) for column in columns]
    diverged = any(reading.diverged for reading in columns[0])
    header += ["n", "diverged"] if diverged else ["n"]
    rows = []
    for readings in zip(*columns, strict=True):
        row = [numbers.level(readings[0].condition[axis], axis) for axis in axes]
        row += [_mean_cell(reading) for reading in readings]
        row += [str(readings[0].n), *([str(readings[0].diverged)] if diverged else [])]
        rows.append(row)
    return markup.pipe_table(header, rows, numeric=range(len(axes), len(header)))


def source_line(evidence: Evidence, columns: Sequence[Sequence[Reading]]) -> str:
    """The key to the marks of a table, and its source, in small type."""
    text = "Mean ± half of the 95 % interval over n seeds."
    if any(reading.best for column in columns for reading in column):
        text += (
            " **Bold**: the best; ≈: not distinguishable from it (paired t test over seeds, or "
            "sign test if all differ alike, Holm's correction, α = 0.05)."
        )
    return markup.box(["source"], [f"{text} Source: {provenance(evidence)}."])


def figure_numbers(
    evidence: Evidence, columns: Sequence[Sequence[Reading]], axes: Sequence[str]
) -> str:
    """The numbers of a figure, folded: one column per metric."""
    table = means_table(evidence, columns, axes)
    return markup.details("The numbers of this figure", table, source_line(evidence, columns))


def curve_numbers(
    evidence: Evidence, metric: Metric, curves: pd.DataFrame, lines: Sequence[str]
) -> str:
    """The last point of each curve, folded; `lines` are the columns that distinguish curves."""
    last = curves.loc[curves.groupby(list(lines), sort=False)["step"].idxmax()]
    rows = [
        [
            *(label(numbers.level(row[line], line)) for line in lines),
            str(row["step"]),
            numbers.number(row["mean"], metric.unit),
            _interval(row["low"], row["high"], metric),
            str(row["n"]),
        ]
        for row in last.to_dict("records")
    ]
    header = [*map(label, lines), "last step", "mean", "95 % interval", "n"]
    table = markup.pipe_table(header, rows, numeric=range(len(lines), len(header)))
    return markup.details("The numbers of this figure", table, _source(evidence, "curves.parquet"))


def difference_numbers(evidence: Evidence, differences: Sequence[Difference], axis: str) -> str:
    """The numbers of a figure of differences, folded."""
    unit = differences[0].metric.unit
    rows = [
        [
            numbers.level(found.level, axis),
            numbers.change(found.mean, unit),
            markup.NOTHING if found.n < 2 else numbers.changes(found.low, found.high, unit),
            str(found.n),
        ]
        for found in differences
    ]
    header = [label(axis), "mean difference", "95 % interval", "pairs"]
    table = markup.pipe_table(header, rows, numeric=range(1, len(header)))
    note = "Paired by seed; intervals are not corrected for multiple comparisons."
    source = markup.box(["source"], [f"{note} {_source(evidence, 'runs.csv')}"])
    return markup.details("The numbers of this figure", table, source)


def view_source(evidence: Evidence, view: str, run_id: str) -> str:
    """The source of a view, in small type."""
    warning = " **A smoke run: not evidence.**" if evidence.scale == "smoke" else ""
    source = f"Source: `{view}` of `{run_id}` in `views.json` of {provenance(evidence)}."
    return markup.box(["source"], [source + warning])


INTERVALS = "bars and bands: 95 % intervals"


def footer(evidence: Evidence, run_id: str | None = None, legend: str = INTERVALS) -> str:
    """The line below a figure of all runs, or of one; `legend` explains other marks."""
    text = f"{evidence.experiment.name}, {evidence.scale} scale"
    if run_id:
        text += f", {run_id}"
    elif legend and len(evidence.manifest.seeds) > 1:
        text += f", {legend}"
    text += f", commit {evidence.manifest.git_commit[:7]}"
    if evidence.scale == "smoke":
        text += " · SMOKE RUNS: not evidence"
    return f"{text} · STALE" if evidence.changes else text


def caution(evidence: Evidence) -> str:
    """A callout if the evidence is only smoke runs or older than the code; otherwise empty."""
    name = evidence.experiment.name
    notes = []
    if evidence.scale == "smoke":
        notes.append(
            f"Only smoke runs of `{name}` exist so far. They show that its code runs; their "
            "numbers are not evidence."
        )
    if evidence.changes:
        notes.append(
            f"The tables of `{name}` are older than the code. Changed since: "
            f"{listed(evidence.changes, 4)}; `llmlab status` lists them all."
        )
    return markup.box(["callout-warning"], notes) if notes else ""


def method(evidence: Evidence) -> Markdown:
    """Conditions, seeds and budget of one experiment, and the cost of its runs."""
    experiment, scale = evidence.experiment, evidence.scale
    budget = experiment.budgets[scale]
    runs = evidence.runs
    rows = [
        [heading(axis), _levels(budget.conditions[axis.name], axis.name)]
        for axis in experiment.axes
    ]
    rows += [
        ["seeds", str(budget.seeds)],
        *([label(name), numbers.level(level, name)] for name, level in budget.settings.items()),
        ["needs", ", ".join(experiment.needs) or "nothing"],
        ["measures", ", ".join(label(metric.name) for metric in experiment.metrics)],
        ["runs", f"{len(runs)}, of which {_statuses(runs)}"],
        ["computing time", f"{duration(runs['seconds'].sum())} summed over the runs"],
        ["computed on", hardware(evidence.manifest.device)],
        ["shown here", provenance(evidence)],
    ]
    if experiment.selection_metric:
        chosen = label(experiment.selection_metric)
        rows.insert(len(experiment.axes), ["chosen by", f"best {chosen}, if an axis is tuned"])
    return Markdown(markup.pipe_table(["Setting", "Value"], rows))


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
    return markup.NOTHING if pd.isna(low) else numbers.interval(low, high, metric.unit)


def _source(evidence: Evidence, file: str) -> str:
    return f"Source: `{file}` of {provenance(evidence)}."


def _levels(levels: Iterable, axis: str) -> str:
    names = [numbers.level(level, axis) for level in levels]
    # a name may hold a comma, but no number in `4,096` may be taken for two
    return ("; " if any(", " in name for name in names) else ", ").join(names)


def _statuses(runs: pd.DataFrame) -> str:
    return ", ".join(f"{count} {status}" for status, count in runs["status"].value_counts().items())


def duration(seconds: float) -> str:
    """A duration in minutes, or in seconds if shorter than a minute."""
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes >= 1 else f"{seconds:.0f} s"

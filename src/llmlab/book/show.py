"""The functions that chapters call: numbers, tables, figures and verdicts, with their sources.

A chapter names its experiment (or hypothesis) as a literal first argument, so that the build knows
what the chapter depends on. Evidence is the best there is: current before stale, then by scale.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pandas as pd
from IPython.display import Markdown, display
from matplotlib.figure import Figure

from llmlab.book import markup, numbers
from llmlab.book.evidence import appendices, boxes, figures, origins, overviews, readings, results
from llmlab.book.evidence.readings import Reading
from llmlab.book.versions import saying
from llmlab.book.versions.comparison import changes_since_former
from llmlab.book.views import reading, widgets
from llmlab.method.declare.experiment import SCALES, Value
from llmlab.method.errors import LabError
from llmlab.method.evidence import lookup as evidence_rules
from llmlab.method.evidence.lookup import Evidence
from llmlab.method.judging import statistics
from llmlab.method.judging.ledger import Ledger
from llmlab.method.judging.ledger_files import load_ledger
from llmlab.method.judging.verdict import Verdict
from llmlab.method.judging.verdicts import judge_all, judge_hypotheses
from llmlab.method.levels import label
from llmlab.method.project import Project

Condition = Mapping[str, Value]


def evidence(experiment: str) -> Evidence:
    """The best evidence for an experiment (see `ranked_evidence`).

    Raises:
        LabError: there is no evidence.
    """
    return _evidence(Project.find().root, experiment)


def value(experiment: str, metric: str, *, tuned: Sequence[str] = (), **condition: Value) -> str:
    """The mean of a metric under one condition, for an f-string in `Markdown(...)`.

    Args:
        tuned: axes to set to the level that the experiment's selection metric chooses.
        condition: the level of every other axis with several levels.

    Raises:
        LabError: the metric, an axis or a level does not exist, or an axis is not fixed.
    """
    found = evidence(experiment)
    reading = readings.read(found, metric, condition, tuned)
    return markup.value_span(reading.text, _origin(found, reading))


def difference(
    experiment: str,
    metric: str,
    *,
    treatment: Condition,
    control: Condition,
    tuned: Sequence[str] = (),
) -> str:
    """The mean paired difference of a metric, treatment minus control; otherwise like `value`."""
    found = evidence(experiment)
    sides = [readings.read(found, metric, side, tuned) for side in (treatment, control)]
    estimate = statistics.mean_interval(readings.paired(*sides), readings.LEVEL)
    unit = sides[0].metric.unit
    ends = numbers.changes(estimate.low, estimate.high, unit)
    conditions = " minus ".join(readings.condition_text(side.condition) for side in sides)
    text = numbers.change(estimate.value, unit)
    return markup.value_span(
        text,
        f"{text}, 95 % interval {ends}, n = {estimate.n} paired seeds; {label(metric)}, "
        f"{conditions}; {origins.provenance(found)}",
    )


def best(experiment: str, axis: str, **condition: Value) -> str:
    """The level of an axis chosen by the experiment's selection metric; otherwise like `value`."""
    found = evidence(experiment)
    selection = str(found.experiment.selection_metric)
    reading = readings.read(found, selection, condition, (axis,))
    return markup.value_span(
        numbers.level(reading.condition[axis], axis),
        f"best {label(axis)} by {label(selection)}, which is {reading.text}, "
        f"{reading.interval_text}; {origins.provenance(found)}",
    )


def means(
    experiment: str,
    metric: str,
    *,
    by: str | Sequence[str],
    tuned: Sequence[str] = (),
    **condition: Value,
) -> pd.DataFrame:
    """A frame with one row per level of the axes `by`: levels, mean, low, high, n, diverged.

    For custom figures; shares are from 0 to 1.
    """
    axes = _names(by)
    found = list(readings.read_cells(evidence(experiment), metric, axes, condition, tuned))
    return readings.frame(found, [*axes, *tuned])


def table(
    experiment: str,
    metrics: str | Sequence[str],
    *,
    by: str | Sequence[str],
    tuned: Sequence[str] = (),
    compare: bool = True,
    **condition: Value,
) -> Markdown:
    """A table of means with intervals for each level of the axes `by`.

    Args:
        compare: mark the best and its ties; turn off if rows differ in texts or tasks.
    """
    found, axes = evidence(experiment), [*_names(by), *tuned]
    columns = [
        list(readings.read_cells(found, metric, _names(by), condition, tuned))
        for metric in _names(metrics)
    ]
    if compare:
        columns = [readings.compare_with_best(column) for column in columns]
    return markup.join(
        results.means_table(found, columns, axes), results.source_line(found, columns)
    )


def figure(
    experiment: str,
    metrics: str | Sequence[str],
    *,
    x: str,
    by: str | None = None,
    tuned: Sequence[str] = (),
    together: str = "",
    without: Sequence[Value] = (),
    **condition: Value,
) -> None:
    """Draw means with intervals over the levels of the axis `x`; numbers are folded below.

    Draws one panel per metric with one line per level of `by`. If `together` names what the metrics
    have in common ("accuracy"), draws all of them, which must share a unit, in one panel.

    Args:
        without: levels of `x` so far from the others that they would press them together.
    """
    found = evidence(experiment)
    axes = [axis for axis in (by, x) if axis]
    cells = [readings.read_cells(found, name, axes, condition, tuned) for name in _names(metrics)]
    read = [[cell for cell in each if cell.condition[x] not in without] for each in cells]
    if together:
        panels = [{label(line[0].metric.name): line for line in read}]
    else:
        panels = [readings.by_level(cells, by) for cells in read]
    axis = readings.find_axis(found.experiment, x)
    legend = readings.heading(readings.find_axis(found.experiment, by)) if by else None
    drawn = figures.draw_levels(panels, axis, legend, results.footer(found), together)
    _display(drawn, results.figure_numbers(found, read, [*axes, *tuned]))


def confusion(
    experiment: str, names: Mapping[str, str], *, by: str, together: str, **condition: Value
) -> None:
    """Draw a matrix of shares: how the runs of each level of `by` were classified; with numbers.

    Args:
        names: the name of the column of each metric (a share).
        together: what the columns have in common ("named as").
    """
    found = evidence(experiment)
    columns = {
        name: list(readings.read_cells(found, metric, [by], condition))
        for metric, name in names.items()
    }
    axis = readings.find_axis(found.experiment, by)
    drawn = figures.draw_confusion(columns, axis, together, results.footer(found, legend=""))
    _display(drawn, results.figure_numbers(found, list(columns.values()), [by]))


def curves(
    experiment: str,
    names: str | Sequence[str],
    *,
    by: str | None = None,
    x: str = "step",
    x_name: str = "",
    panels: str | None = None,
    tuned: Sequence[str] = (),
    log_y: bool = False,
    together: str = "",
    **condition: Value,
) -> None:
    """Draw curves with means and intervals over seeds; the last values are folded below.

    Draws one line per level of `by`, or one per curve for several curves of one unit under one
    condition; `together` names what these have in common.

    Args:
        x: the horizontal axis: "step", "tokens" trained on, or another curve, such as "seconds".
        x_name: its label, if steps are not training steps.
        panels: an axis of the experiment whose levels get a panel each.
    """
    found, names = evidence(experiment), _names(names)
    metric, *_ = [readings.find_curve(found.experiment, name) for name in names]
    horizontal = x_name or readings.x_label(found.experiment, x)
    axes = [axis for axis in (panels, by) if axis]
    shown = figures.Curves(
        readings.mean_curves(found, names, axes, condition, tuned, x),
        metric,
        line=by or "curve",
        panels=panels,
        x=horizontal,
        together=together,
        log_y=log_y,
    )
    drawn = figures.draw_curves(shown, results.footer(found))
    _display(drawn, results.curve_numbers(found, metric, shown.points, shown.columns))


def differences(
    experiment: str, metric: str, *, axis: str, control: Value, **condition: Value
) -> None:
    """Draw the effect of each level of an axis relative to the level `control`, paired by seed.

    Shows means with intervals; numbers are folded below.
    """
    found = evidence(experiment)
    read = readings.read_differences(found, metric, axis, control, condition)
    against = numbers.level(control, axis)
    drawn = figures.draw_differences(read, axis, against, results.footer(found))
    _display(drawn, results.difference_numbers(found, read, axis))


def explorer(experiment: str, view: str, *, run: Condition | None = None, seed: int = 0) -> None:
    """A view of one run: interactive on screen, a still image in print.

    Args:
        view: its name in the run's `views.json`.
        run: the level of every axis with several levels.

    Raises:
        LabError: there is no such run or view, or the view is invalid or too large for a page.
    """
    found = evidence(experiment)
    run_id, raw = reading.find_view(found, view, run or {}, seed)
    where = f"the view '{view}' of {experiment} ({run_id})"
    widget = widgets.raw_html(widgets.widget(view, raw, where))
    drawn = reading.read_view(raw, where).draw(results.footer(found, run_id))
    _display(drawn, markup.join(widget, results.view_source(found, view, run_id)).data)


def playground(name: str, raw: Mapping[str, object]) -> None:
    """An interactive view that comes from no run, with a still image.

    Args:
        name: label of the widget.
        raw: the view as plain JSON.

    Raises:
        LabError: the view is invalid or too large for a page.
    """
    drawn = reading.read_view(raw, name).draw("")
    _display(drawn, widgets.raw_html(widgets.widget(name, raw, name)))


def verdict(hypothesis: str) -> Markdown:
    """The box of one hypothesis: word, effect, evidence, registration, alarms."""
    return Markdown(boxes.verdict_box(_verdict(hypothesis)))


def scales(hypothesis: str) -> Markdown:
    """The verdicts on a hypothesis's family at every scale that has evidence, side by side."""
    root = Project.find().root
    family = _ledger(root).hypothesis(hypothesis).family
    judged = {scale: _family(root, family, scale) for scale in SCALES if scale != "smoke"}
    return overviews.by_scale(judged)


def badge(hypothesis: str) -> str:
    """The word of a verdict, for an f-string or a table."""
    return boxes.verdict_badge(_verdict(hypothesis))


def effect(hypothesis: str) -> str:
    """The effect behind a verdict, for an f-string.

    Raises:
        LabError: the hypothesis is untested, so there is no effect.
    """
    return boxes.effect_span(_judged(hypothesis))


def cite(hypothesis: str) -> str:
    """The id of a hypothesis, its verdict and its effect, for brackets within a sentence."""
    cited = f"{hypothesis} {badge(hypothesis)}"
    if word(hypothesis) == "UNTESTED":
        return cited
    return f"{cited}, {boxes.bracketed_effect(_judged(hypothesis))}"


def word(hypothesis: str) -> str:
    """SUPPORTED, REFUTED, UNDECIDED or UNTESTED, for prose that depends on it."""
    return _verdict(hypothesis).word


UNTESTED = "No run at laptop or gpu scale has tested this yet."

FIRST_STOP = re.compile(r"[.:](?= |$)")
"""Where the first sentence of a text ends, or what explains it begins."""


def says(
    hypothesis: str,
    *,
    supported: str,
    refuted: str,
    undecided: str,
    untested: str = UNTESTED,
    also: str = "",
) -> str:
    """The text that matches the verdict, with its effect, so that prose stays true after a rerun.

    A text without a full stop at its end is part of a sentence, which brings the effect by `cite`.

    Args:
        also: follows any verdict except UNTESTED, with the effect in place of "{}", or as a verb in
            place of "{moves}": "falls by 4.4 points". Without it the effect stands in parentheses
            at the end of the first sentence.
    """
    text = _text_for(
        hypothesis, supported=supported, refuted=refuted, undecided=undecided, untested=untested
    )
    if word(hypothesis) == "UNTESTED":
        return text
    if also:
        found = _judged(hypothesis)
        told = also.replace("{}", boxes.effect_span(found))
        return f"{text} {told.replace('{moves}', boxes.movement_span(found))}"
    if not text.endswith("."):
        return text
    bracketed = boxes.bracketed_effect(_judged(hypothesis))
    return FIRST_STOP.sub(lambda stop: f" ({bracketed}){stop[0]}", text, count=1)


def _text_for(hypothesis: str, **texts: str) -> str:
    """The text for the word of a verdict, by that word in small letters."""
    return texts[word(hypothesis).lower()]


def answer(*sentences: str) -> Markdown:
    """The answer to the question of a results page: its first paragraph, the same at every scale.

    Args:
        sentences: what `says` gives, or text around values; each is shown once.
    """
    return Markdown(markup.box(["answer"], [" ".join(dict.fromkeys(sentences))]))


def finding(hypothesis: str, **sentences: str) -> str:
    """A finding as an item of a list: `says` with these sentences, the verdict and its scope."""
    sentence = _text_for(hypothesis, **({"untested": UNTESTED} | sentences))
    return overviews.finding(Project.find(), _verdict(hypothesis), sentence)


def note(experiment: str) -> Markdown:
    """What a reader must know about the evidence: only smoke runs, or older than the code."""
    return Markdown(results.caution(evidence(experiment)))


def method(experiment: str) -> Markdown:
    """The conditions and the budget of an experiment as a small table."""
    return results.method(evidence(experiment))


def command(experiment: str) -> Markdown:
    """The exact command that makes the table shown in the chapter."""
    return Markdown(markup.code_block(evidence(experiment).manifest.command))


def summary() -> Markdown:
    """The labs: verdicts, scale and hardware of each, for the front page."""
    return overviews.summary(Project.find(), _verdicts(Project.find().root))


def questions() -> Markdown:
    """Every question with its computed status and its hypotheses."""
    return overviews.questions(Project.find(), _verdicts(Project.find().root))


def ledger() -> Markdown:
    """Every hypothesis in one table."""
    return overviews.ledger(Project.find(), _verdicts(Project.find().root))


def progress(track: str | None = None) -> Markdown:
    """Every track, or one by its id, with its phases and features and their computed states."""
    return overviews.progress(Project.find(), _verdicts(Project.find().root), track)


def statistics_of(track: str) -> Markdown:
    """The cost of a track's experiments, and the verdicts on its hypotheses."""
    return overviews.statistics(Project.find(), _verdicts(Project.find().root), track)


def dictionary() -> Markdown:
    """Every column of every table, with unit and description."""
    return appendices.dictionary()


def provenance() -> Markdown:
    """The provenance of every table."""
    return appendices.provenance(Project.find())


def reproduction() -> Markdown:
    """How local smoke runs compare with the recorded ones."""
    return appendices.reproduction(Project.find())


def tolerances() -> Markdown:
    """How far each metric of each experiment may differ between machines."""
    return appendices.tolerances(Project.find())


def changes() -> Markdown:
    """What changed since the former version of the book."""
    return Markdown(saying.page(changes_since_former(Project.find())))


@cache
def _evidence(root: Path, experiment: str) -> Evidence:
    return evidence_rules.best_evidence(Project(root), experiment)


@cache
def _verdicts(root: Path) -> tuple[Verdict, ...]:
    return tuple(judge_all(Project(root)))


@cache
def _family(root: Path, family: str, scale: str | None = None) -> tuple[Verdict, ...]:
    """The verdicts that are corrected together, at one scale or the best."""
    members = [one for one in _ledger(root).hypotheses if one.family == family]
    return tuple(judge_hypotheses(Project(root), members, scale))


@cache
def _ledger(root: Path) -> Ledger:
    return load_ledger(Project(root))


def _verdict(hypothesis_id: str) -> Verdict:
    root = Project.find().root
    family = _ledger(root).hypothesis(hypothesis_id).family
    return next(v for v in _family(root, family) if v.hypothesis.id == hypothesis_id)


def _judged(hypothesis_id: str) -> Verdict:
    """The verdict on a hypothesis that has one; LabError if it is untested."""
    found = _verdict(hypothesis_id)
    if found.judgement is None:
        raise LabError(f"{hypothesis_id} has no effect to show: {found.reason}")
    return found


def _names(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _origin(found: Evidence, reading: Reading) -> str:
    """The provenance of a value, in words."""
    where = readings.condition_text(reading.condition)
    return "; ".join(
        [
            f"{reading.text}, {reading.interval_text}",
            ", ".join(filter(None, [label(reading.metric.name), where])),
            f"runs.csv, {reading.lines_text}",
            origins.provenance(found),
        ]
    )


def _display(drawn: Figure, below: str) -> None:
    display(drawn)
    display(Markdown(below))

"""What happened in a run, at which step, with the evidence: for a reader, or as JSON."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from llmlab.finetune.curves.causes import name_cause, signs
from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.curves.extrapolation import fit_power_law
from llmlab.finetune.curves.readers import Run
from llmlab.finetune.curves.shapes import divergence, early_rise, overfitting, plateau, spikes
from llmlab.method.errors import LabError

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 32
"""Characters of a sparkline."""
LOSSES = ("loss", "validation_loss")
SPIKES_SHOWN = 3
FEWEST = 5
"""Points of a curve in which something can be told from noise."""
EARLY = 0.02
"""Share of a run within which the validation loss has to be known for a cause to be named."""


@dataclass(frozen=True)
class Finding:
    """One thing that happened.

    Attributes:
        step: None for what concerns the whole run.
        evidence: the numbers that it rests on, in words.
    """

    what: str
    step: int | None
    evidence: str


@dataclass(frozen=True)
class Sketch:
    """One curve at a glance.

    Attributes:
        first, last: values at the two ends.
        line: its shape in characters; `x` where no value is finite.
    """

    name: str
    points: int
    first: float
    last: float
    lowest: float
    line: str


@dataclass(frozen=True)
class Report:
    """What there is to say about one run."""

    run: str
    steps: tuple[int, int]
    curves: tuple[Sketch, ...]
    findings: tuple[Finding, ...]


def report(run: Run) -> Report:
    """Look at all curves of a run.

    Raises:
        LabError: none of its curves is a loss.
    """
    losses = [run.curves[name] for name in LOSSES if name in run.curves]
    if not losses:
        raise LabError(
            f"{run.name} has no loss among its curves ({', '.join(run.curves)}): name one of them "
            "'loss' or 'validation_loss'."
        )
    ends = [(curve.steps[0], curve.steps[-1]) for curve in losses]
    return Report(
        run=run.name,
        steps=(min(first for first, _ in ends), max(last for _, last in ends)),
        curves=tuple(_sketch(name, run.curves[name]) for name in LOSSES if name in run.curves),
        findings=tuple(_findings(run.curves.get("loss"), run.curves.get("validation_loss"))),
    )


def sparkline(curve: Curve, width: int = WIDTH) -> str:
    """The curve in `width` characters, each the median of its stretch of steps.

    On a logarithmic scale where all are positive, so that a late change shows beside the first
    fall.
    """
    width = min(width, len(curve))
    edges = np.linspace(curve.x[0], curve.x[-1], width + 1)
    places = np.clip(np.searchsorted(edges, curve.x, side="right") - 1, 0, width - 1)
    stretches = [curve.y[places == place] for place in range(width)]
    levels = [_level(stretch) for stretch in stretches if len(stretch)]
    finite = [level for level in levels if math.isfinite(level)]
    if finite and min(finite) > 0:
        levels = list(np.log(levels))
        finite = list(np.log(finite))
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    return "".join(_bar(level, low, high) for level in levels)


def print_reports(reports: Sequence[Report], console: Console | None = None) -> None:
    """One table for each run."""
    console = console or Console()
    for found in reports:
        first, last = found.steps
        console.print(f"\n[bold]{found.run}[/bold]  steps {first} to {last}", highlight=False)
        for sketch in found.curves:
            console.print(
                f"  {sketch.name:<16}{sketch.line}  {_short(sketch.first)} → {_short(sketch.last)}"
                f", lowest {_short(sketch.lowest)}",
                highlight=False,
            )
        table = Table("what happened", "step", "evidence", box=None, pad_edge=False, padding=(0, 2))
        for finding in found.findings:
            step = "–" if finding.step is None else str(finding.step)
            table.add_row(finding.what, step, finding.evidence)
        console.print(table)


def _findings(training: Curve | None, validation: Curve | None) -> Iterator[Finding]:
    longest = max(len(curve) for curve in (training, validation) if curve)
    if longest < FEWEST and not _broken(training, validation):
        yield Finding("too short", None, f"{longest} points; {FEWEST} are needed to see a shape")
        return
    for name, curve in (("training loss", training), ("validation loss", validation)):
        if curve:
            yield from _events(name, curve)
    if validation and (found := early_rise(validation)):
        yield Finding(
            "rise at the start",
            found.step,
            f"validation loss {_short(found.start)} → {_short(found.peak)} before it falls",
        )
    if training and validation and (found := overfitting(training, validation)):
        yield Finding(
            "over-fitting",
            found.step,
            f"validation loss {_short(found.lowest)} → {_short(found.last)}, while training loss "
            f"{_short(found.training_then)} → {_short(found.training_last)}",
        )
    if training and validation and _can_be_named(training, validation):
        rule = name_cause(signs(training, validation))
        yield Finding(f"looks like: {rule.cause}", None, rule.sign)


def _can_be_named(training: Curve, validation: Curve) -> bool:
    """Whether the rules can tell a cause: they look at the first steps of both losses."""
    span = training.steps[-1] - training.steps[0]
    in_time = validation.steps[0] - training.steps[0] <= EARLY * span
    return in_time and min(len(training), len(validation)) >= FEWEST


def _events(name: str, curve: Curve) -> Iterator[Finding]:
    """What happened in one curve alone."""
    if found := divergence(curve):
        evidence = f"{name} {_short(found.lowest)} → {_short(found.last)}"
        yield Finding("divergence", found.step, evidence)
    jumps = spikes(curve)
    for spike in jumps[:SPIKES_SHOWN]:
        over = "never over" if spike.recovered_at is None else f"over at step {spike.recovered_at}"
        yield Finding(
            "spike",
            spike.step,
            f"{name} {_short(spike.before)} → {_short(spike.peak)} ({spike.z:.0f} robust standard "
            f"deviations), {over}",
        )
    if len(jumps) > SPIKES_SHOWN:
        yield Finding(
            "more spikes", None, f"{len(jumps) - SPIKES_SHOWN} further ones in the {name}"
        )
    flat = plateau(curve)
    if flat:
        yield Finding(
            "plateau",
            flat.step,
            f"{name} stays near {_short(flat.level)}: the {_short(flat.left)} that it still falls "
            f"by is no more than {_short(flat.tolerance)}, which noise explains",
        )
    elif not found and (law := fit_power_law(curve)):
        ahead = law.at(2 * curve.steps[-1])
        yield Finding(
            "still falling",
            curve.steps[-1],
            f"a power law towards {_short(law.a)} fits the {name}; at step {ahead.step} it says "
            f"{_short(ahead.value)} ({_short(ahead.low)} to {_short(ahead.high)}, 95 %)",
        )


def _broken(*curves: Curve | None) -> bool:
    return any(curve and not np.isfinite(curve.y).all() for curve in curves)


def _sketch(name: str, curve: Curve) -> Sketch:
    finite = curve.finite()
    lowest = min(finite.values) if finite else math.nan
    return Sketch(name, len(curve), curve.values[0], curve.values[-1], lowest, sparkline(curve))


def _level(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) == len(values) else math.nan


def _bar(level: float, low: float, high: float) -> str:
    if not math.isfinite(level):
        return "x"
    share = (level / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.0  # no overflow
    return BARS[round(share * (len(BARS) - 1))]


def _short(value: float) -> str:
    return f"{value:.3g}"

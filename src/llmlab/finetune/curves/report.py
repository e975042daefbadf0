"""The findings of one run with its curves at a glance: for a reader, or as JSON."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.curves.findings import NOTHING, Finding, findings, short
from llmlab.finetune.curves.readers import Run
from llmlab.method.documents import listed
from llmlab.method.errors import LabError

BARS = "▁▂▃▄▅▆▇█"

WIDTH = 32
"""Width of a sparkline in characters."""

LOSSES, NORM = ("loss", "validation_loss"), "gradient_norm"

NAMES_SHOWN = 6


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
    """Everything found about one run.

    Attributes:
        notes: what was left out or merged when it was read, and curves that are not judged.
    """

    run: str
    steps: tuple[int, int]
    curves: tuple[Sketch, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


def has_loss(run: Run) -> bool:
    """Whether there is anything to report about a run."""
    return any(name in run.curves for name in LOSSES)


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
        findings=tuple(findings(*map(run.curves.get, (*LOSSES, NORM)))) or (NOTHING,),
        notes=(*run.notes, *_not_judged(run)),
    )


def _not_judged(run: Run) -> tuple[str, ...]:
    others = [name for name in run.curves if name not in (*LOSSES, NORM)]
    return (f"not judged: {listed(others, NAMES_SHOWN)}",) if others else ()


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
        title = f"\n[bold]{escape(found.run)}[/bold]  steps {first} to {last}"
        console.print(title, highlight=False)
        for sketch in found.curves:
            console.print(
                f"  {sketch.name:<16}{sketch.line}  {short(sketch.first)} → {short(sketch.last)}"
                f", lowest {short(sketch.lowest)}",
                highlight=False,
            )
        table = Table("what happened", "step", "evidence", box=None, pad_edge=False, padding=(0, 2))
        for finding in found.findings:
            step = "–" if finding.step is None else str(finding.step)
            table.add_row(finding.what, step, finding.evidence)
        console.print(table)
        for note in found.notes:
            console.print(f"  {note}", highlight=False, markup=False)


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

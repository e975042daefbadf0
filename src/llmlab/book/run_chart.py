"""The chart of `llmlab watch` as a still image from the log of a run, for pages and print."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from llmlab.book import style
from llmlab.method.errors import LabError
from llmlab.runs.folder import RunFolder
from llmlab.runs.log import LoggedEvent

SMOOTHING = 0.9
"""Default smoothing of the page of `llmlab watch`."""

POINTS = frozenset({"point", "step"})
MARKS = {"alarm": style.VERMILION, "diverged": style.VERMILION, "steered": style.ORANGE}


@dataclass(frozen=True)
class Losses:
    """The data of one run in the chart.

    Attributes:
        steps: steps of the points.
        loss: loss at each of them in nats; None if missing.
        validation: (step, loss) on unseen text.
        marks: (step, event) of notable events.
    """

    name: str
    steps: tuple[int, ...]
    loss: tuple[float | None, ...]
    validation: tuple[tuple[int, float], ...]
    marks: tuple[tuple[int, str], ...]


def run_chart(*folders: str | Path, smoothing: float = SMOOTHING) -> Figure:
    """Draw the losses of runs by step: thin raw, thick smoothed, dashed on unseen text.

    Args:
        folders: folders of the runs, each with its `log.jsonl`.
        smoothing: weight of earlier values, from 0 (none) to below 1.

    Raises:
        LabError: a folder has no log, or the log has no step.
    """
    runs = [read_losses(Path(folder)) for folder in folders]
    figure, axes = style.subplots(height=3.0)
    for run, colour in zip(runs, style.CYCLE, strict=False):
        _draw(axes, run, colour, smoothing)
    axes.set(xlabel="step", ylabel="loss (nats/token)")
    if len(runs) > 1:
        axes.legend()
    return figure


def read_losses(folder: Path) -> Losses:
    """Read the losses from the log of a run; LabError if it has no step."""
    events = [one for one in RunFolder(folder).log.events() if one.step is not None]
    points = [one for one in events if one.event in POINTS]
    if not points:
        raise LabError(f"{folder} has no log.jsonl with a step to draw; name the folder of a run.")
    return Losses(
        folder.name,
        tuple(one.step for one in points),
        tuple(one.loss for one in points),
        tuple(_validations(events)),
        tuple((one.step, one.event) for one in events if one.event in MARKS),
    )


def smoothed(values: Sequence[float | None], weight: float) -> list[float | None]:
    """The exponential moving average with bias correction (arXiv 1412.6980, section 3)."""
    mean, left, found = 0.0, 1.0, []
    for value in values:
        if value is not None:
            mean, left = weight * mean + (1 - weight) * value, left * weight
        found.append(None if value is None else mean / (1 - left))
    return found


def _validations(events: Sequence[LoggedEvent]) -> list[tuple[int, float]]:
    found = [one for one in events if one.event == "validation" and one.loss is not None]
    return [(one.step, one.loss) for one in found]


def _draw(axes: Axes, run: Losses, colour: str, smoothing: float) -> None:
    raw, mean = (_numbers(values) for values in (run.loss, smoothed(run.loss, smoothing)))
    axes.plot(run.steps, raw, color=colour, linewidth=0.8, alpha=0.4)
    axes.plot(run.steps, mean, color=colour, label=run.name)
    if run.validation:
        steps, losses = zip(*run.validation, strict=True)
        axes.plot(steps, losses, color=colour, linestyle="--", marker="o", markersize=4)
    for step, event in run.marks:
        axes.axvline(step, color=MARKS[event], linestyle=":", linewidth=1.2)


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]

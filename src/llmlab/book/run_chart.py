"""The chart of `llmlab watch` as a still: what the log of a run says, for print, too."""

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
"""With which the page of `llmlab watch` opens."""

POINTS = frozenset({"point", "step"})
MARKS = {"alarm": style.VERMILION, "diverged": style.VERMILION, "steered": style.ORANGE}


@dataclass(frozen=True)
class Losses:
    """What the chart shows of a run.

    Attributes:
        steps: of the points.
        loss: at each of them in nats; None where there is none.
        validation: (step, loss) on unseen text.
        marks: (step, event) of what happened.
    """

    name: str
    steps: tuple[int, ...]
    loss: tuple[float | None, ...]
    validation: tuple[tuple[int, float], ...]
    marks: tuple[tuple[int, str], ...]


def run_chart(*folders: str | Path, smoothing: float = SMOOTHING) -> Figure:
    """The losses of runs over their steps: thin at each, thick smoothed, dashed on unseen text.

    Args:
        folders: of the runs, each with its `log.jsonl`.
        smoothing: weight of what came before, from 0 (none) to below 1.

    Raises:
        LabError: a folder has no log, or the log no step.
    """
    runs = [read_losses(Path(folder)) for folder in folders]
    figure, axes = style.subplots(height=3.0)
    for run, colour in zip(runs, style.CYCLE, strict=False):
        _draw(axes, run, colour, smoothing)
    axes.set(xlabel="step", ylabel="loss, nats per token")
    if len(runs) > 1:
        axes.legend()
    return figure


def read_losses(folder: Path) -> Losses:
    """What the log of a run says of its losses; LabError if it has no step."""
    events = [one for one in RunFolder(folder).log.events() if one.step is not None]
    points = [one for one in events if one.event in POINTS]
    if not points:
        raise LabError(f"{folder} has no log.jsonl with a step to draw: name the folder of a run.")
    return Losses(
        folder.name,
        tuple(one.step for one in points),
        tuple(one.loss for one in points),
        tuple(_validations(events)),
        tuple((one.step, one.event) for one in events if one.event in MARKS),
    )


def smoothed(values: Sequence[float | None], weight: float) -> list[float | None]:
    """The exponential mean without the bias of its first values (1412.6980, section 3)."""
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

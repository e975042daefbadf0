"""Statistics of the residual stream, layer by layer."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Annotated, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from llmlab.book import style
from llmlab.book.views.drawing import label_text, spread, step_name, words
from llmlab.book.views.kinds import NonEmptyList, Number, StepNumber, View

MOST_LINES = 5
LOGARITHMIC = 50
"""Ratio of the largest to the smallest value from which the axis becomes logarithmic."""


@dataclass(frozen=True)
class ActivationStep:
    """The statistics of each layer at one step: the layer's name, and numbers by name."""

    layers: NonEmptyList[Annotated[dict[str, Number | str], Field(min_length=2)]]
    step: StepNumber | None = None

    def __post_init__(self) -> None:
        if any(not isinstance(layer.get("name"), str) for layer in self.layers):
            raise ValueError("a layer has no name")
        if any(set(layer) != set(self.layers[0]) for layer in self.layers):
            raise ValueError("the layers do not have the same statistics")
        if any(isinstance(layer[name], str) for layer in self.layers for name in self.statistics):
            raise ValueError("a statistic is not a number")

    @property
    def names(self) -> list[str]:
        return [str(layer["name"]) for layer in self.layers]

    @property
    def shape(self) -> tuple[int, set[str]]:
        """The number of layers, and the keys of each."""
        return len(self.layers), set(self.layers[0])

    @property
    def statistics(self) -> list[str]:
        return [name for name in self.layers[0] if name != "name"]


@dataclass(frozen=True)
class Activations(View):
    """Statistics of the residual stream, at one checkpoint or several."""

    checkpoints: NonEmptyList[ActivationStep]

    def __post_init__(self) -> None:
        first = self.checkpoints[0]
        if any(step.shape != first.shape for step in self.checkpoints):
            raise ValueError("the checkpoints do not have the same layers and statistics")

    @classmethod
    def normal_form(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """Turn activations at one checkpoint into a list of one."""
        if "checkpoints" in raw:
            return raw
        layers = {"layers": raw["layers"]} if "layers" in raw else {}
        return {"checkpoints": [{**layers, "step": raw.get("checkpoint")}]}

    def draw(self, footer: str) -> Figure:
        """Draw one panel per statistic over the layers, with one line per selected checkpoint."""
        steps = spread(self.checkpoints, MOST_LINES)
        names = steps[0].statistics
        columns = min(3 if len(names) > 6 else 2, len(names))
        rows = -(-len(names) // columns)
        figure, panels = style.subplots(rows, columns, height=1.75 * rows + 0.6, squeeze=False)
        for axes, name in zip_longest(panels.flat, names):
            if name is None:
                axes.axis("off")
            else:
                _draw_statistic(axes, steps, name)
        if len(steps) > 1:
            lines, labels = panels[0, 0].get_legend_handles_labels()
            place = {"loc": "outside upper center", "ncols": len(steps)}
            figure.legend(lines, labels, title="step", fontsize=8, title_fontsize=8.5, **place)
        style.sign(figure, footer)
        return figure


def _draw_statistic(axes: Axes, steps: Sequence[ActivationStep], name: str) -> None:
    colours = style.sequence(len(steps)) if len(steps) > 1 else [style.BLUE]
    for step, colour in zip(steps, colours, strict=True):
        values = [layer[name] for layer in step.layers]
        label = step_name(step.step)
        axes.plot(range(len(values)), values, "o-", color=colour, label=label, markersize=3.5)
    every = [layer[name] for step in steps for layer in step.layers]
    if min(every) > 0 and max(every) > LOGARITHMIC * min(every):
        axes.set_yscale("log")
    axes.set_title(label_text(words(name)), fontsize=7.5)
    axes.tick_params(labelsize=7.5)
    marks = [_mark(layer) for layer in steps[0].names]
    every_other = 1 + (len(marks) > 8)
    axes.set_xticks(range(0, len(marks), every_other), marks[::every_other])


def _mark(layer: str) -> str:
    """The number of a layer, or the first letters of its name."""
    number = re.search(r"\d+$", layer)
    return number[0] if number else label_text(f"{layer[:3]}.")


KIND = Activations

"""A model during training: its losses, attention and samples, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from llmlab.book import style
from llmlab.book.views.drawing import (
    draw_texts,
    first_lines,
    label_text,
    spread,
    step_name,
    text_heights,
)
from llmlab.book.views.kinds import NonEmptyList, Number, StepNumber, View
from llmlab.book.views.kinds.attention import AttentionText, draw_heads

Curve = list[tuple[StepNumber, Number]]


@dataclass(frozen=True)
class Step:
    """A model at one step of its training; None for what was not recorded."""

    step: StepNumber
    train_loss: Number | None = None
    validation_loss: Number | None = None
    sample: str | None = None
    attention: AttentionText | None = None


@dataclass(frozen=True)
class Checkpoints(View):
    """A model during training.

    Attributes:
        curve: loss by step, for "train" and "validation".
    """

    steps: NonEmptyList[Step]
    curve: dict[str, Curve]

    def draw(self, footer: str) -> Figure:
        """Draw the loss, and at some steps all heads and a sample."""
        steps = spread(self.steps, 3)
        looked = [step for step in steps if step.attention]
        wrote = [step for step in steps if step.sample is not None]
        texts = [first_lines(str(step.sample)) for step in wrote]
        heights = [2.1, *([2.0] if looked else []), *([sum(text_heights(texts))] if texts else [])]
        figure = style.empty(sum(heights) + 0.25)
        parts = iter(np.atleast_1d(figure.subfigures(len(heights), height_ratios=heights)))
        _draw_losses(next(parts).subplots(), self, steps)
        if looked:
            _draw_looks(next(parts), looked)
        if texts:
            draw_texts(next(parts), [f"step {step_name(step.step)}" for step in wrote], texts)
        style.sign(figure, footer)
        return figure


def _draw_losses(axes: Axes, view: Checkpoints, steps: Sequence[Step]) -> None:
    looks = {"train": ("-", style.BLUE), "validation": ("--", style.VERMILION)}
    for name, curve in view.curve.items():
        if curve:
            line, colour = looks.get(name, (":", style.MUTED))
            axes.plot(*zip(*curve, strict=True), line, color=colour, label=label_text(name))
    for step in steps:
        axes.axvline(step.step, color=style.MUTED, linewidth=0.9, linestyle=":")
    axes.set_xlabel("step", fontsize=9)
    axes.set_ylabel("loss (nats)", fontsize=9)
    axes.tick_params(labelsize=8)
    if any(view.curve.values()):
        axes.legend()


def _draw_looks(figure: SubFigure, steps: Sequence[Step]) -> None:
    panels = figure.subplots(1, len(steps), squeeze=False)[0]
    for axes, step in zip(panels, steps, strict=True):
        draw_heads(axes, step.attention, None)
        axes.set_title(f"step {step_name(step.step)}", fontsize=9)
        if axes is not panels[0]:
            axes.set_ylabel("")


KIND = Checkpoints

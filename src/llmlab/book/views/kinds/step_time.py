"""One step of a training run on a cluster: how its time and memory are spent.

The widget recomputes both for every plan (`assets/shared/step_formulas.js`); the view supplies the
models, accelerators and coefficients, and the prediction for the first plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from llmlab.book import style
from llmlab.book.views.drawing import label_text
from llmlab.book.views.kinds import NonEmptyList, Number, View

Size = Annotated[float, Field(allow_inf_nan=False, ge=0, lt=1e30)]
Fact = str | bool | Number | None
Named = Annotated[dict[str, Fact], Field(min_length=1)]
"""A model, an accelerator or a plan."""
SMALLEST = 1e-3
"""Parts below this share of the step are not drawn."""


@dataclass(frozen=True)
class Part:
    """Seconds of a step, or bytes of a memory."""

    name: str
    label: str
    size: Size


@dataclass(frozen=True)
class StepTime(View):
    """The step of one plan, and the data to predict others.

    Attributes:
        coefficients: coefficients of the formulas, by name.
        plan: the widget's initial plan.
        parts: seconds of that plan's step.
        memory: bytes on its fullest accelerator.
    """

    models: NonEmptyList[Named]
    accelerators: NonEmptyList[Named]
    coefficients: dict[str, Number]
    plan: Named
    parts: NonEmptyList[Part]
    memory: NonEmptyList[Part]

    def __post_init__(self) -> None:
        self._named(self.models, "model")
        if not isinstance(self.limit, int | float) or self.limit <= 0:
            raise ValueError("the accelerator of the plan has no memory")
        if not self.seconds:
            raise ValueError("the step takes no time")

    @property
    def seconds(self) -> float:
        return sum(part.size for part in self.parts)

    @property
    def limit(self) -> Fact:
        """Memory of the accelerator in bytes."""
        return self._named(self.accelerators, "gpu").get("memory")

    def draw(self, footer: str) -> Figure:
        """Draw the parts of the first plan's step and memory as bars."""
        figure = style.empty(3.6)
        time, memory = figure.subplots(1, 2, width_ratios=(3, 2))
        shown = [part for part in self.parts if part.size >= SMALLEST * self.seconds]
        _draw_bars(time, shown, self.seconds / 100, "% of the step")
        time.set_title(f"{self.seconds:.3g} s per step", fontsize=9.5)
        _draw_bars(memory, self.memory, 1e9, "GB")
        memory.axvline(float(self.limit) / 1e9, color=style.INK, linestyle="--", linewidth=1)
        held = sum(part.size for part in self.memory)
        memory.set_title(f"{held / 1e9:.0f} of {float(self.limit) / 1e9:.0f} GB", fontsize=9.5)
        style.sign(figure, footer)
        return figure

    def _named(self, among: Sequence[Named], key: str) -> Named:
        found = [one for one in among if one.get("name") == self.plan.get(key)]
        if not found:
            raise ValueError(f"the plan's {key} is not among those listed")
        return found[0]


def _draw_bars(axes: Axes, parts: Sequence[Part], unit: float, name: str) -> None:
    axes.barh(range(len(parts)), [part.size / unit for part in parts])
    axes.set_yticks(range(len(parts)), [label_text(part.label) for part in parts], fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="x", labelsize=8)
    axes.set_xlabel(name, fontsize=9)


KIND = StepTime

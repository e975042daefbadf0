"""Runs of growing size and their losses, with a fitted law; the widget lets readers move runs."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import numpy as np
from matplotlib.figure import Figure
from pydantic import Field

from llmlab.book import style
from llmlab.book.views.kinds import View

Positive = Annotated[float, Field(allow_inf_nan=False, gt=1e-30, lt=1e30)]

EXPONENTS = np.arange(2, 151) / 100
"""Exponents tried in the fit; the widget tries the same."""


@dataclass(frozen=True)
class ScalingLaw(View):
    """Runs by rising size.

    Attributes:
        runs: size and loss of each.
    """

    runs: Annotated[list[tuple[Positive, Positive]], Field(min_length=4, max_length=40)]

    def __post_init__(self) -> None:
        sizes = [size for size, _ in self.runs]
        if any(one >= other for one, other in pairwise(sizes)):
            raise ValueError("sizes do not rise from run to run")

    def law(self) -> tuple[float, float, float]:
        """Fit E, A and alpha of E + A / (size / first size)^alpha by least relative squares."""
        size, loss = np.array(self.runs).T
        tries = [_fit((size / size[0]) ** -exponent, loss) for exponent in EXPONENTS]
        error, floor, factor = min(tries)
        return floor, factor, float(EXPONENTS[tries.index((error, floor, factor))])

    def draw(self, footer: str) -> Figure:
        """Draw the runs and the fitted law."""
        size, loss = np.array(self.runs).T
        floor, factor, exponent = self.law()
        figure = style.empty(2.9)
        axes = figure.subplots()
        line = np.geomspace(size[0], size[-1], 60)
        label = f"floor {floor:.2f}, exponent {exponent:.2f}"
        axes.plot(line, floor + factor * (line / size[0]) ** -exponent, label=label)
        axes.plot(size, loss, "o", color=style.VERMILION, label="runs")
        axes.set_xscale("log")
        axes.set(xlabel="size", ylabel="loss")
        axes.legend()
        style.sign(figure, footer)
        return figure


def _fit(fall: np.ndarray, loss: np.ndarray) -> tuple[float, float, float]:
    """Sum of relative squares, floor and factor of the best floor + factor * fall, floor >= 0."""
    columns = np.stack([np.ones_like(fall), fall], axis=1) / loss[:, None]
    floor, factor = np.linalg.lstsq(columns, np.ones_like(loss), rcond=None)[0]
    if floor < 0:
        floor, factor = 0.0, float(columns[:, 1].sum() / (columns[:, 1] ** 2).sum())
    error = ((columns @ [floor, factor] - 1) ** 2).sum()
    return float(error), float(floor), float(factor)


KIND = ScalingLaw

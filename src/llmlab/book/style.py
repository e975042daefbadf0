"""The style of all figures: colour-blind safe, readable on a phone, identical on every run.

Figures have a white background, which the page blends with its own; drawings inside text are
transparent.
"""

import base64
import io
from collections.abc import Sequence
from textwrap import fill
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from llmlab.book.vectors import slim

# Okabe and Ito's palette (jfly.uni-koeln.de/color), without yellow, which is too pale on white
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
)
INK, MUTED, FAINT = "#1f2430", "#5d6673", "#d9dde3"
CYCLE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P")
VERDICT_COLOURS = {
    "SUPPORTED": "#1a7f4b",
    "REFUTED": "#b3372f",
    "UNDECIDED": "#8a6100",
    "UNTESTED": MUTED,
}

WIDTH = 5.6
"""Width in inches, narrow enough to keep text readable when a phone shrinks the figure."""
FOOTER_COLUMNS = 88
"""Characters of small type in that width."""

_STYLE: dict[str, Any] = {
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "svg.hashsalt": "llmlab",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",  # comes with matplotlib, so it is the same everywhere
    "font.size": 10.5,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.labelsize": 10.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=CYCLE),
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    # where a legend lies over lines, its names stay readable and the lines show through
    "legend.facecolor": "white",
    "legend.edgecolor": "none",
    "legend.framealpha": 0.8,
    "legend.fontsize": 9.5,
}


def subplots(
    rows: int = 1, columns: int = 1, *, height: float = 3.4, width: float = WIDTH, **options: Any
) -> tuple[Figure, Any]:
    """A figure in the book's style, and its axes; height and width in inches.

    Closes the figure in pyplot at once, so a cell shows it only as its last expression.
    """
    mpl.rcParams.update(_STYLE)
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), **options)
    plt.close(figure)
    return figure, axes


def empty(height: float, width: float = WIDTH) -> Figure:
    """A figure in the book's style without axes; height and width in inches."""
    mpl.rcParams.update(_STYLE)
    return Figure(figsize=(width, height))


def sequence(n: int) -> list[Any]:
    """n colours for ordered levels, from dark to light, readable on white and in greyscale."""
    return [mpl.colormaps["viridis"](share) for share in np.linspace(0, 0.85, n)]


def error_line(
    axes: Axes,
    x: Sequence[float],
    mean: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    **look: Any,
) -> None:
    """Draw a line through means with intervals; `look` is passed to `Axes.errorbar`."""
    mean, low, high = (np.asarray(values, dtype=float) for values in (mean, low, high))
    axes.errorbar(x, mean, yerr=[mean - low, high - mean], capsize=3, elinewidth=1.2, **look)


def svg_uri(figure: Figure) -> str:
    """The figure as a `data:` URI for Markdown, without date or random ids."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawn = slim(buffer.getvalue().decode()).encode()
    return "data:image/svg+xml;base64," + base64.b64encode(drawn).decode("ascii")


def sign(figure: Figure, footer: str) -> None:
    """Write the source of a figure below it, in small type, in lines that fit its width."""
    lines = fill(footer, FOOTER_COLUMNS)
    figure.supxlabel(lines, x=0.01, ha="left", fontsize=8, color=MUTED)

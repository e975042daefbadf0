"""Shared drawing of several kinds of views: colours, tokens, texts."""

import textwrap
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure, SubFigure

HEAT = LinearSegmentedColormap.from_list("heat", ["#ffffff", "#56a4d8", "#07305c"])

SHARES = PowerNorm(0.5, 0, 1)
"""Colour follows the square root of a share, so that small ones are visible, as in the widgets."""

FONT = "DejaVu Sans Mono"

TEXT_COLUMNS, TEXT_LINES = 100, 7
SIGNS = {"\n": "↵", "\t": "⇥", "\r": "␍"}


def words(name: str) -> str:
    """The name of a statistic, a score or a facet in words."""
    spelled = {"std": "standard deviation", "max": "largest absolute value", "mlp": "MLP:"}
    parts = name.split("_")
    return " ".join(spelled.get(part, part) for part in parts)


def label_text(text: str) -> str:
    """Foreign text as a title or a label, without formulas."""
    return drawable(text).replace("$", r"\$")


def draw_texts(
    figure: Figure | SubFigure, titles: Sequence[str], texts: Sequence[Sequence[str]]
) -> None:
    """Draw texts line by line, each below its title."""
    panels = figure.subplots(len(texts), squeeze=False, height_ratios=text_heights(texts))[:, 0]
    for axes, title, lines in zip(panels, titles, texts, strict=True):
        axes.axis("off")
        axes.set_title(title, fontsize=8.5, pad=3, weight="bold")
        look = {"va": "top", "family": FONT, "parse_math": False, "transform": axes.transAxes}
        axes.text(0, 1, "\n".join(lines), fontsize=6.5, **look)


def text_heights(texts: Sequence[Sequence[str]]) -> list[float]:
    """Height of each text with its title, in inches."""
    return [0.33 + 0.115 * max(1, len(lines)) for lines in texts]


def first_lines(text: str) -> list[str]:
    """The first lines of a text, wrapped to the width of the figure."""
    lines = [
        drawable(part)
        for line in text.strip("\n").splitlines()
        for part in (textwrap.wrap(line, TEXT_COLUMNS, drop_whitespace=False) or [""])
    ]
    return [*lines[:TEXT_LINES], "…"] if len(lines) > TEXT_LINES else lines


def spread(items: Sequence[Any], count: int) -> list[Any]:
    """At most `count` items, evenly spread, including the first and the last."""
    places = np.linspace(0, len(items) - 1, min(count, len(items)))
    return [items[place] for place in dict.fromkeys(places.round().astype(int).tolist())]


def step_name(step: int | None) -> str:
    """The number of a step, or a dash if it is unknown."""
    return "–" if step is None else f"{step:,}"


def write_token(
    axes: Axes, x: float, y: float, token: str, points: float, most: int = 16, **look: Any
) -> None:
    """Write a token, cut to at most `most` characters, without formulas."""
    shown = printable(token)
    shown = shown if len(shown) <= most else shown[: most - 1] + "…"
    look = {"va": "center", "family": FONT, "parse_math": False, **look}
    axes.text(x, y, shown, fontsize=points, **look)


def printable(token: str) -> str:
    """A token with visible spaces at its ends, and only characters that the font has."""
    inner = token.strip(" ")
    before = len(token) - len(token.lstrip(" "))
    after = len(token) - before - len(inner)
    return "·" * before + drawable(inner) + "·" * after


def drawable(text: str) -> str:
    """The text, with each character that the font lacks replaced by a box."""
    return "".join(SIGNS.get(sign, sign if ord(sign) in _glyphs() else "□") for sign in text)


@cache
def _glyphs() -> frozenset[int]:
    """The code points that the font can show."""
    font = font_manager.get_font(font_manager.findfont(FONT))
    return frozenset(font.get_charmap())

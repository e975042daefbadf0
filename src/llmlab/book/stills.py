"""Views as still pictures: what stands in print, and on a screen where no script runs."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from llmlab.book import style
from llmlab.book.views import Attention, AttentionText, View

HEAT = LinearSegmentedColormap.from_list("heat", ["#ffffff", "#56a4d8", "#07305c"])
SHARES = PowerNorm(0.5, 0, 1)
"""Colour goes with the square root of a share, so that small ones show; as in `explorer.js`."""

FONT = "DejaVu Sans Mono"
SIGNS = {"\n": "↵", "\t": "⇥", "\r": "␍"}


def draw(view: View, footer: str) -> Figure:
    """A picture of the view as its widget opens, or of all that the widget can show, in brief."""
    return DRAWINGS[type(view)](view, footer)


def draw_attention(view: Attention, footer: str) -> Figure:
    """One head with the names of its tokens, and in the corner that it leaves free, all heads."""
    text, (layer, head) = view.texts[0], view.telling_head
    figure, axes = style.subplots(height=style.WIDTH)
    _draw_map(axes, text, layer, head)
    axes.set_title(f"Layer {layer + 1}, head {head + 1}{_scores(view, layer, head)}", fontsize=9.5)
    _draw_heads(axes.inset_axes((0.6, 0.6, 0.4, 0.4)), text, (layer, head))
    _sign(figure, footer)
    return figure


def _draw_map(axes: Axes, text: AttentionText, layer: int, head: int) -> None:
    """Each token's name stands at the end of its row, which is the top of its column."""
    count = len(text.tokens)
    points = min(8.0, 300 / count)
    _draw_head(axes, text, layer, head)
    corners = np.repeat(np.arange(count + 1), 2)
    axes.plot([0, *corners[1:]], [0, *corners[:-1]], color=style.FAINT, linewidth=0.8)
    for place, token in enumerate(text.tokens):
        _write(axes, place + 1.3, place + 0.5, token, points, color=style.MUTED)
    axes.set_xlim(0, count * 1.12)


def _draw_head(axes: Axes, text: AttentionText, layer: int, head: int) -> None:
    axes.imshow(
        _square(text.weights[layer][head]),
        cmap=HEAT,
        norm=SHARES,
        extent=(0, len(text.tokens), len(text.tokens), 0),
        interpolation="none",
    )
    axes.axis("off")


def _draw_heads(axes: Axes, text: AttentionText, chosen: tuple[int, int] | None) -> None:
    """All heads as one picture: a row for each layer, a column for each head."""
    count = len(text.tokens)
    pitch = count * 1.12
    for layer in range(text.n_layers):
        for head in range(text.n_heads):
            left, top = head * pitch, layer * pitch
            axes.imshow(
                _square(text.weights[layer][head]),
                cmap=HEAT,
                norm=SHARES,
                extent=(left, left + count, top + count, top),
                interpolation="none",
            )
            marked = (layer, head) == chosen
            axes.add_patch(
                Rectangle(
                    (left, top),
                    count,
                    count,
                    fill=False,
                    edgecolor=style.VERMILION if marked else style.FAINT,
                    linewidth=1.8 if marked else 0.6,
                    zorder=3 if marked else 2,
                )
            )
    axes.set_xlim(-0.02 * pitch, text.n_heads * pitch)
    axes.set_ylim(text.n_layers * pitch, -0.02 * pitch)
    axes.set_xticks([(head + 0.45) * pitch for head in range(text.n_heads)])
    axes.set_xticklabels(str(head + 1) for head in range(text.n_heads))
    axes.set_yticks([(layer + 0.45) * pitch for layer in range(text.n_layers)])
    axes.set_yticklabels(str(layer + 1) for layer in range(text.n_layers))
    axes.tick_params(length=0, labelsize=7, pad=1)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("head", fontsize=8)
    axes.set_ylabel("layer", fontsize=8)


def _square(rows: Sequence[Sequence[int]]) -> np.ndarray:
    """Shares by query and key, shape [T, T]; NaN where a query cannot look."""
    square = np.full((len(rows), len(rows)), np.nan)
    for query, row in enumerate(rows):
        square[query, : query + 1] = row
    return square / 255


def _scores(view: Attention, layer: int, head: int) -> str:
    named = [
        f"{name.replace('_', ' ')} score {table[layer][head]:.2f}"
        for name, table in view.scores.items()
    ]
    return f" ({', '.join(named)})" if named else ""


def _write(axes: Axes, x: float, y: float, text: str, points: float, **look: Any) -> None:
    """Text of a model, in which nothing is a formula."""
    look = {"va": "center", "family": FONT, "parse_math": False, **look}
    axes.text(x, y, printable(text), fontsize=points, **look)


def printable(text: str) -> str:
    """Text whose blanks at the ends show, and whose other signs the font has."""
    inner = text.strip(" ")
    before = len(text) - len(text.lstrip(" "))
    after = len(text) - before - len(inner) if inner else 0
    shown = "".join(SIGNS.get(sign, sign if ord(sign) in _glyphs() else "□") for sign in inner)
    return "·" * before + shown + "·" * after


@cache
def _glyphs() -> frozenset[int]:
    """The code points that the font can show."""
    font = font_manager.get_font(font_manager.findfont(FONT))
    return frozenset(font.get_charmap())


def _sign(figure: Figure, footer: str) -> None:
    figure.supxlabel(footer, x=0.01, ha="left", fontsize=7, color=style.MUTED)


DRAWINGS: Mapping[type, Callable[[Any, str], Figure]] = {Attention: draw_attention}

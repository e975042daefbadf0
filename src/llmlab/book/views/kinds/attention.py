"""The attention of a model's heads."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from pydantic import Field

from llmlab.book import style
from llmlab.book.views.drawing import HEAT, SHARES, label_text, words, write_token
from llmlab.book.views.kinds import NonEmptyList, Number, StepNumber, Tokens, View

Byte = Annotated[int, Field(ge=0, le=255)]
Weights = NonEmptyList[NonEmptyList[list[list[Byte]]]]
"""Attention by layer, head, query and key, in units of 1/255; a query sees keys up to itself."""


@dataclass(frozen=True)
class AttentionText:
    """One text at one checkpoint, and the attention of each of its tokens."""

    tokens: Tokens
    weights: Weights
    checkpoint: StepNumber | None = None

    def __post_init__(self) -> None:
        if len({len(layer) for layer in self.weights}) > 1:
            raise ValueError("the layers do not have the same number of heads")
        rows = list(range(1, len(self.tokens) + 1))
        for layer in self.weights:
            for head in layer:
                if [len(row) for row in head] != rows:
                    raise ValueError("attention is not one row per token, each up to that token")

    @property
    def n_layers(self) -> int:
        return len(self.weights)

    @property
    def n_heads(self) -> int:
        return len(self.weights[0])


@dataclass(frozen=True)
class Attention(View):
    """The attention of a model's heads.

    Attributes:
        scores: a number for each layer and head, by the name of the score, such as "induction".
    """

    texts: NonEmptyList[AttentionText]
    n_layers: Annotated[int, Field(ge=1)]
    n_heads: Annotated[int, Field(ge=1)]
    scores: dict[str, list[list[Number]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        of_heads = [*(text.weights for text in self.texts), *self.scores.values()]
        if any(
            len(layers) != self.n_layers or any(len(layer) != self.n_heads for layer in layers)
            for layers in of_heads
        ):
            raise ValueError(
                f"not all texts and scores have {self.n_layers} layers of {self.n_heads} heads"
            )

    @property
    def telling_head(self) -> tuple[int, int]:
        """Layer and head with the highest first score; the first head if there are no scores."""
        scores = next(iter(self.scores.values()), [[0.0]])
        return max(
            ((layer, head) for layer, row in enumerate(scores) for head in range(len(row))),
            key=lambda place: scores[place[0]][place[1]],
        )

    @property
    def opening(self) -> tuple[int, int]:
        return self.telling_head

    def draw(self, footer: str) -> Figure:
        """Draw one head with its tokens, and all heads in the free corner."""
        text, (layer, head) = self.texts[0], self.telling_head
        figure, axes = style.subplots(height=style.WIDTH)
        _draw_map(axes, text, layer, head)
        title = f"Layer {layer + 1}, head {head + 1}{_scores(self, layer, head)}"
        axes.set_title(label_text(title), fontsize=9.5)
        draw_heads(axes.inset_axes((0.6, 0.6, 0.4, 0.4)), text, (layer, head))
        _draw_scale(axes.inset_axes((0.66, 0.54, 0.32, 0.014)))
        style.sign(figure, footer)
        return figure


def _draw_scale(axes: Axes) -> None:
    """Draw the colour bar of shares."""
    shares = [0, 0.05, 0.25, 0.5, 1]
    bar = axes.figure.colorbar(ScalarMappable(SHARES, HEAT), axes, orientation="horizontal")
    bar.set_ticks(shares, labels=[f"{share:.0%}" for share in shares])
    bar.ax.tick_params(labelsize=7, length=2, pad=1)
    bar.outline.set_visible(False)


def _draw_map(axes: Axes, text: AttentionText, layer: int, head: int) -> None:
    """Draw one head, with each token at the end of its row, which is the top of its column."""
    count = len(text.tokens)
    points = min(8.0, 300 / count)
    _draw_head(axes, text, layer, head)
    corners = np.repeat(np.arange(count + 1), 2)
    axes.plot([0, *corners[1:]], [0, *corners[:-1]], color=style.FAINT, linewidth=0.8)
    for place, token in enumerate(text.tokens):
        write_token(axes, place + 1.3, place + 0.5, token, points, color=style.MUTED)
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


def draw_heads(axes: Axes, text: AttentionText, chosen: tuple[int, int] | None) -> None:
    """Draw all heads: one row per layer, one column per head."""
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
            axes.add_patch(_frame(left, top, count, is_marked=(layer, head) == chosen))
    _number_heads(axes, text, pitch)


def _frame(left: float, top: float, side: float, *, is_marked: bool) -> Rectangle:
    look = {"edgecolor": style.FAINT, "linewidth": 0.6, "zorder": 2}
    if is_marked:
        look = {"edgecolor": style.VERMILION, "linewidth": 1.8, "zorder": 3}
    return Rectangle((left, top), side, side, fill=False, **look)


def _number_heads(axes: Axes, text: AttentionText, pitch: float) -> None:
    """Number layers and heads, which are `pitch` apart."""
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
    """Shares by query and key, shape [T, T]; NaN where a query cannot attend."""
    square = np.full((len(rows), len(rows)), np.nan)
    for query, row in enumerate(rows):
        square[query, : query + 1] = row
    return square / 255


def _scores(view: Attention, layer: int, head: int) -> str:
    named = [f"{words(name)} score {table[layer][head]:.2f}" for name, table in view.scores.items()]
    return f" ({', '.join(named)})" if named else ""


KIND = Attention

"""The logit lens: what the model would predict at each layer (nostalgebraist 2020)."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from pydantic import Field

from llmlab.book import style
from llmlab.book.views.drawing import HEAT, label_text, write_token
from llmlab.book.views.kinds import NonEmptyList, Number, Tokens, View

COLUMNS, ROWS = 9, 32
"""Most tokens side by side, and most lines, that fit a page."""

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class LensLayer:
    """One layer's predictions at each position: up to three guesses, and the loss.

    Attributes:
        top: guesses with their probabilities, likeliest first.
        loss: in nats; None if the next token is unknown.
        name: if "", the layer's position names it.
    """

    top: list[Annotated[list[tuple[str, Share]], Field(min_length=1)]]
    loss: list[Number | None]
    name: str = ""


@dataclass(frozen=True)
class LensText:
    tokens: Tokens
    layers: NonEmptyList[LensLayer]

    def __post_init__(self) -> None:
        if any(len(layer.top) != len(self.tokens) for layer in self.layers):
            raise ValueError("a layer does not have guesses for each token")

    @property
    def layer_names(self) -> list[str]:
        last = len(self.layers) - 1
        named = ["embedding", *(f"layer {n}" for n in range(1, last)), f"layer {last} (output)"]
        return [
            label_text(layer.name or name) for layer, name in zip(self.layers, named, strict=False)
        ]


@dataclass(frozen=True)
class LogitLens(View):
    """What the model would predict if it stopped at a layer (nostalgebraist 2020)."""

    texts: NonEmptyList[LensText]

    def draw(self, footer: str) -> Figure:
        """Draw the likeliest next token by layer and token, for as many tokens as fit a page."""
        text = self.texts[0]
        rows = len(text.layers) + 1.6
        n_bands = max(1, min(3, int(ROWS / rows)))
        bands = [
            range(start, min(start + COLUMNS, len(text.tokens)))
            for start in range(0, min(len(text.tokens), n_bands * COLUMNS), COLUMNS)
        ]
        figure, panels = style.subplots(
            len(bands), height=0.21 * rows * len(bands) + 0.35, squeeze=False
        )
        for axes, band in zip(panels[:, 0], bands, strict=True):
            _draw_lens_band(axes, text, band)
        shown = bands[-1].stop
        whole = shown == len(text.tokens)
        note = "" if whole else f"; the first {shown} of {len(text.tokens)} tokens"
        style.sign(figure, f"{footer} · colour: probability{note}")
        return figure


def _draw_lens_band(axes: Axes, text: LensText, band: range) -> None:
    for column, at in enumerate(band):
        write_token(
            axes, column + 0.5, -0.5, text.tokens[at], 7, ha="center", weight="bold", most=9
        )
        for row, layer in enumerate(text.layers):
            (guess, share), *_ = layer.top[at]
            hue = HEAT(share)
            axes.add_patch(
                Rectangle((column + 0.03, row + 0.05), 0.94, 0.9, color=hue, linewidth=0)
            )
            if at + 1 < len(text.tokens) and guess == text.tokens[at + 1]:
                mark = style.VERMILION
                axes.plot([column + 0.03, column + 0.97], [row + 0.9] * 2, color=mark, linewidth=2)
            write_token(
                axes, column + 0.5, row + 0.47, guess, 6.5, ha="center", color=_on(hue), most=9
            )
    axes.set_xlim(0, COLUMNS)
    axes.set_ylim(len(text.layers), -1)
    axes.set_yticks([row + 0.5 for row in range(len(text.layers))], text.layer_names)
    axes.set_xticks([])
    axes.tick_params(length=0, labelsize=7.5)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _on(colour: tuple[float, ...]) -> str:
    """Black or white, whichever is more readable on a colour (WCAG 2.2, relative luminance)."""
    channels = np.array(colour[:3])
    light = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return "black" if light @ (0.2126, 0.7152, 0.0722) > 0.179 else "white"


KIND = LogitLens

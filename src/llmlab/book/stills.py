"""Views as still pictures: what stands in print, and on a screen where no script runs."""

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import zip_longest
from typing import Any

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle

from llmlab.book import style
from llmlab.book.views import (
    Activations,
    ActivationStep,
    Attention,
    AttentionText,
    Checkpoints,
    LensText,
    LogitLens,
    Samples,
    Step,
    View,
)

HEAT = LinearSegmentedColormap.from_list("heat", ["#ffffff", "#56a4d8", "#07305c"])
SHARES = PowerNorm(0.5, 0, 1)
"""Colour goes with the square root of a share, so that small ones show; as in `explorer.js`."""

FONT = "DejaVu Sans Mono"
LENS_COLUMNS, LENS_ROWS = 9, 32
MOST_LINES, MOST_SAMPLES = 5, 5
LOGARITHMIC = 50
"""Numbers are drawn logarithmically if the largest is so many times the smallest."""

TEXT_COLUMNS, TEXT_LINES = 100, 7
FOOTER_COLUMNS = 105
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
    _draw_scale(axes.inset_axes((0.66, 0.54, 0.32, 0.014)))
    _sign(figure, footer)
    return figure


def _draw_scale(axes: Axes) -> None:
    """The colour of each share."""
    shares = [0, 0.05, 0.25, 0.5, 1]
    bar = axes.figure.colorbar(ScalarMappable(SHARES, HEAT), axes, orientation="horizontal")
    bar.set_ticks(shares, labels=[f"{share:.0%}" for share in shares])
    bar.ax.tick_params(labelsize=6, length=2, pad=1)
    bar.outline.set_visible(False)


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


def draw_lens(view: LogitLens, footer: str) -> Figure:
    """The likeliest next token by layer and token, for as many tokens as a page has room for."""
    text = view.texts[0]
    rows = len(text.layers) + 1.6
    n_bands = max(1, min(3, int(LENS_ROWS / rows)))
    bands = [
        range(start, min(start + LENS_COLUMNS, len(text.tokens)))
        for start in range(0, min(len(text.tokens), n_bands * LENS_COLUMNS), LENS_COLUMNS)
    ]
    figure, panels = style.subplots(
        len(bands), height=0.21 * rows * len(bands) + 0.35, squeeze=False
    )
    for axes, band in zip(panels[:, 0], bands, strict=True):
        _draw_lens_band(axes, text, band)
    shown = bands[-1].stop
    whole = shown == len(text.tokens)
    note = "" if whole else f"; the first {shown} of {len(text.tokens)} tokens"
    _sign(figure, f"{footer} · colour: probability{note}")
    return figure


def _draw_lens_band(axes: Axes, text: LensText, band: range) -> None:
    for column, at in enumerate(band):
        _write(axes, column + 0.5, -0.5, text.tokens[at], 7, ha="center", weight="bold", most=9)
        for row, layer in enumerate(text.layers):
            (guess, share), *_ = layer.top[at]
            hue = HEAT(share)
            axes.add_patch(
                Rectangle((column + 0.03, row + 0.05), 0.94, 0.9, color=hue, linewidth=0)
            )
            if at + 1 < len(text.tokens) and guess == text.tokens[at + 1]:
                mark = style.VERMILION
                axes.plot([column + 0.03, column + 0.97], [row + 0.9] * 2, color=mark, linewidth=2)
            _write(axes, column + 0.5, row + 0.47, guess, 6.5, ha="center", color=_on(hue), most=9)
    axes.set_xlim(0, LENS_COLUMNS)
    axes.set_ylim(len(text.layers), -1)
    axes.set_yticks([row + 0.5 for row in range(len(text.layers))], text.layer_names)
    axes.set_xticks([])
    axes.tick_params(length=0, labelsize=7.5)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def draw_activations(view: Activations, footer: str) -> Figure:
    """A panel for each statistic, over the layers, with a line for some of the checkpoints."""
    steps = _some(view.checkpoints, MOST_LINES)
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
    _sign(figure, footer)
    return figure


def _draw_statistic(axes: Axes, steps: Sequence[ActivationStep], name: str) -> None:
    colours = style.sequence(len(steps)) if len(steps) > 1 else [style.BLUE]
    for step, colour in zip(steps, colours, strict=True):
        values = [layer[name] for layer in step.layers]
        label = _step_name(step.step)
        axes.plot(range(len(values)), values, "o-", color=colour, label=label, markersize=3.5)
    every = [layer[name] for step in steps for layer in step.layers]
    if min(every) > 0 and max(every) > LOGARITHMIC * min(every):
        axes.set_yscale("log")
    axes.set_title(words(name), fontsize=7.5)
    axes.tick_params(labelsize=7.5)
    marks = [_mark(layer) for layer in steps[0].names]
    every_other = 1 + (len(marks) > 8)
    axes.set_xticks(range(0, len(marks), every_other), marks[::every_other])


def _mark(layer: str) -> str:
    """The number of a layer, or the beginning of its name."""
    number = re.search(r"\d+$", layer)
    return number[0] if number else f"{layer[:3]}."


def words(name: str) -> str:
    """The name of a statistic, a score or a facet."""
    spelled = {"std": "standard deviation", "max": "largest absolute value", "mlp": "MLP:"}
    parts = name.split("_")
    return " ".join(spelled.get(part, part) for part in parts)


def draw_checkpoints(view: Checkpoints, footer: str) -> Figure:
    """The loss, and at some steps all heads and what the model writes."""
    steps = _some(view.steps, 3)
    looked = [step for step in steps if step.attention]
    wrote = [step for step in steps if step.sample is not None]
    texts = [_lines(str(step.sample)) for step in wrote]
    heights = [2.1, *([2.0] if looked else []), *([sum(_heights(texts))] if texts else [])]
    figure = style.empty(sum(heights) + 0.25)
    parts = iter(np.atleast_1d(figure.subfigures(len(heights), height_ratios=heights)))
    _draw_losses(next(parts).subplots(), view, steps)
    if looked:
        _draw_looks(next(parts), looked)
    if texts:
        _draw_texts(next(parts), [f"step {_step_name(step.step)}" for step in wrote], texts)
    _sign(figure, footer)
    return figure


def _draw_losses(axes: Axes, view: Checkpoints, steps: Sequence[Step]) -> None:
    looks = {"train": ("-", style.BLUE), "validation": ("--", style.VERMILION)}
    for name, curve in view.curve.items():
        if curve:
            line, colour = looks.get(name, (":", style.MUTED))
            axes.plot(*zip(*curve, strict=True), line, color=colour, label=name)
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
        _draw_heads(axes, step.attention, None)
        axes.set_title(f"step {_step_name(step.step)}", fontsize=9)
        if axes is not panels[0]:
            axes.set_ylabel("")


def draw_samples(view: Samples, footer: str) -> Figure:
    """Some of the samples, one below the other."""
    samples = _some(view.samples, MOST_SAMPLES)
    titles = [
        ", ".join(f"{words(name)} {sample.get(name, '–')}" for name in view.facets)
        for sample in samples
    ]
    texts = [_lines(f"{sample.get('prompt', '')}{sample['text']}") for sample in samples]
    figure = style.empty(sum(_heights(texts)) + 0.25)
    _draw_texts(figure, titles, texts)
    _sign(figure, footer)
    return figure


def _draw_texts(
    figure: Figure | SubFigure, titles: Sequence[str], texts: Sequence[Sequence[str]]
) -> None:
    """Lines of text below each other, each text below its title."""
    panels = figure.subplots(len(texts), squeeze=False, height_ratios=_heights(texts))[:, 0]
    for axes, title, lines in zip(panels, titles, texts, strict=True):
        axes.axis("off")
        axes.set_title(title, fontsize=8.5, pad=3, weight="bold")
        look = {"va": "top", "family": FONT, "parse_math": False, "transform": axes.transAxes}
        axes.text(0, 1, "\n".join(lines), fontsize=6.5, **look)


def _heights(texts: Sequence[Sequence[str]]) -> list[float]:
    """Inches that texts take, each with its title."""
    return [0.33 + 0.115 * max(1, len(lines)) for lines in texts]


def _lines(text: str) -> list[str]:
    """The first lines of a text, none wider than the figure."""
    lines = [
        _known(part)
        for line in text.strip("\n").splitlines()
        for part in (textwrap.wrap(line, TEXT_COLUMNS, drop_whitespace=False) or [""])
    ]
    return [*lines[:TEXT_LINES], "…"] if len(lines) > TEXT_LINES else lines


def _some(items: Sequence[Any], count: int) -> list[Any]:
    """The first, the last, and evenly between them, at most `count` items."""
    places = np.linspace(0, len(items) - 1, min(count, len(items)))
    return [items[place] for place in dict.fromkeys(places.round().astype(int).tolist())]


def _step_name(step: int | None) -> str:
    return "–" if step is None else f"{step:,}"


def _on(colour: tuple[float, ...]) -> str:
    """Black or white, whichever is read better on a colour (WCAG 2.2, relative luminance)."""
    channels = np.array(colour[:3])
    light = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return "black" if light @ (0.2126, 0.7152, 0.0722) > 0.179 else "white"


def _square(rows: Sequence[Sequence[int]]) -> np.ndarray:
    """Shares by query and key, shape [T, T]; NaN where a query cannot look."""
    square = np.full((len(rows), len(rows)), np.nan)
    for query, row in enumerate(rows):
        square[query, : query + 1] = row
    return square / 255


def _scores(view: Attention, layer: int, head: int) -> str:
    named = [f"{words(name)} score {table[layer][head]:.2f}" for name, table in view.scores.items()]
    return f" ({', '.join(named)})" if named else ""


def _write(
    axes: Axes, x: float, y: float, token: str, points: float, most: int = 16, **look: Any
) -> None:
    """A token of at most so many signs, in which nothing is a formula."""
    shown = printable(token)
    shown = shown if len(shown) <= most else shown[: most - 1] + "…"
    look = {"va": "center", "family": FONT, "parse_math": False, **look}
    axes.text(x, y, shown, fontsize=points, **look)


def printable(token: str) -> str:
    """A token whose blanks at the ends show, and whose other signs the font has."""
    inner = token.strip(" ")
    before = len(token) - len(token.lstrip(" "))
    after = len(token) - before - len(inner)
    return "·" * before + _known(inner) + "·" * after


def _known(text: str) -> str:
    return "".join(SIGNS.get(sign, sign if ord(sign) in _glyphs() else "□") for sign in text)


@cache
def _glyphs() -> frozenset[int]:
    """The code points that the font can show."""
    font = font_manager.get_font(font_manager.findfont(FONT))
    return frozenset(font.get_charmap())


def _sign(figure: Figure, footer: str) -> None:
    figure.supxlabel(
        textwrap.fill(footer, FOOTER_COLUMNS), x=0.01, ha="left", fontsize=7, color=style.MUTED
    )


DRAWINGS: Mapping[type, Callable[[Any, str], Figure]] = {
    Attention: draw_attention,
    LogitLens: draw_lens,
    Activations: draw_activations,
    Checkpoints: draw_checkpoints,
    Samples: draw_samples,
}

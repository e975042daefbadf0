# %% [markdown]
# # The gauge of an adapter {#sec-gauge}
#
# Average six adapters factor by factor and almost nothing is left: the model is its old self again. Average what they
# *do* and much of it survives. The reason is a freedom that no loss can see: the factors of an adapter are one of
# infinitely many ways to write the same change. Where training starts decides which one it finds. Physicists call such a
# freedom a *gauge*: what depends on it means nothing by itself. @fig-gauge shows it.

# %%
# | label: fig-gauge
# | fig-cap: "One adapter of rank two, written in three ways. Top: the columns of B as arrows, turned by three rotations. Bottom: ΔW, the same each time. The last column is the mean of the three: the arrows of B shorten, so do those of A, and their product is no longer ΔW."
# | fig-alt: "Four columns. In the upper row two arrows, turned differently in the first three columns, short in the fourth. In the lower row the same coloured grid three times, and a paler one."
# | echo: true
import numpy as np

from llmlab.book import style

random = np.random.default_rng(5)
b, a = np.array([[2.2, 0.2], [0.5, 1.8]]), random.standard_normal((2, 6))


def turned(angle: float) -> tuple[np.ndarray, np.ndarray]:
    """The same ΔW by other factors."""
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    return b @ turn, turn.T @ a


ways = [turned(angle) for angle in (0.0, 1.0, 2.6)]
mean = tuple(np.mean(part, axis=0) for part in zip(*ways, strict=True))
figure, panels = style.subplots(2, 4, height=3.0)
top = np.abs(b @ a).max()
for column, ((left, right), title) in enumerate(
    zip([*ways, mean], ("one way", "another", "a third", "their mean"), strict=True)
):
    arrows, grid = panels[:, column]
    for (x, y), colour in zip(left.T, (style.BLUE, style.VERMILION), strict=True):
        arrows.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "->", "color": colour})
    arrows.set(
        xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), aspect="equal", title=title, xticks=[], yticks=[]
    )
    grid.imshow(left @ right, cmap="RdBu_r", vmin=-top, vmax=top)
    grid.set(xticks=[], yticks=[])
    grid.grid(visible=False)
panels[0, 0].set(ylabel="B")
panels[1, 0].set(ylabel="BA")
figure

# %% [markdown]
# ## In one formula
#
# An adapter is $\Delta W = BA$. For every invertible matrix $G$, other factors give the same change:
#
# $$ (B G)(G^{-1} A) = B A. $$ {#eq-gauge}
#
# The figure turns $B$ by rotations, whose inverse is their transpose.
#
# ## How much is left
#
# The product of mean factors has $N^2$ terms:
#
# $$ \bar B \bar A = \frac{1}{N^2} \sum_{i,j} B_i A_j. $$ {#eq-gauge-mean}
#
# Only the $N$ terms with $i = j$ are the change of some adapter. If the gauges are unrelated, the terms are uncorrelated, so
# their squares add up:
#
# $$ \mathrm{E}\,\lVert \bar B \bar A \rVert^2 = \frac{1}{N^4} \sum_{i,j} \lVert B_i A_j \rVert^2, $$ {#eq-gauge-forecast}
#
# about $1/N$ of one adapter's norm if the factors have the same size. The mean of $\Delta W$ keeps $1/\sqrt N$ if the
# adapters have nothing in common, and all of it if they agree. With random factors:

# %%
# | echo: true
import torch
from IPython.display import Markdown

from llmlab.book.markup import pipe_table
from llmlab.book.show import badge
from llmlab.sleep.night.adapters import Factors, mean_of_deltas, mean_of_factors
from llmlab.sleep.night.bases import expected_shrinkage, shrinkage

draw = torch.Generator().manual_seed(0)


def adapters(count: int) -> list[dict[str, Factors]]:
    shapes = ((64, 4), (4, 64))
    return [
        {"layer": Factors(*(torch.randn(shape, generator=draw) for shape in shapes))}
        for _ in range(count)
    ]


rows = []
for count in (1, 2, 6, 12, 51):
    found = adapters(count)
    sizes = (
        shrinkage(mean_of_factors(found), found),
        expected_shrinkage(found),
        shrinkage(mean_of_deltas(found), found),
    )
    rows.append([str(count), *(f"{size:.3f}" for size in sizes)])
Markdown(
    pipe_table(["Adapters", "mean factors", "forecast", "mean of ΔW"], rows, numeric=(0, 1, 2, 3))
)

# %% [markdown]
# Three remedies follow. Average $\Delta W$, which no gauge can touch. Start all adapters from the same $A$: then they share
# a gauge as long as $A$ hardly moves. Or do not average at all, and choose an adapter for each program
# (@sec-results-sleep-routing). Projecting onto a shared basis is no remedy: it keeps the gauge, so the mean of coefficients
# is the mean of factors again.
#
# ## What the book tests

# %%
Markdown(
    f"- Mean factors of real adapters shrink as forecast (H-SHARE-5): {badge('H-SHARE-5')}.\n"
    f"- Averaged coefficients return to the baseline (H-SHARE-6): {badge('H-SHARE-6')}.\n"
    f"- The mean of ΔW survives (H-SHARE-7): {badge('H-SHARE-7')}.\n"
    "\nSee @sec-results-sleep-share and @sec-results-sleep-methods.\n"
)

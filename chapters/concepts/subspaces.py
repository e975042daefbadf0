# %% [markdown]
# # Subspaces that adapters share {#sec-subspaces}
#
# An adapter is a change of weights with few directions. If the adapters of many tasks use the same few, then one basis
# can hold them all, and a new task needs no adapter, only coefficients in that basis. Share [@share2026] builds on this
# idea. @fig-subspaces shows the idea, and its catch, in two dimensions: a basis holds what it was made of. It holds what
# a new task needs only if the tasks are alike, or by luck.

# %%
# | label: fig-subspaces
# | fig-cap: "Columns of adapters as points of a plane. Left: those of six tasks scatter along one direction (line), the first principal direction of them all, and a new task (square) lies near it: its projection loses little. Right: the same six, and a new task that goes elsewhere. The dashed line is what the basis cannot hold."
# | fig-alt: "Two panels with the same cloud of dots along a slanted line. In the left one a square lies near the line with a short dashed line to it; in the right one far off with a long dashed line."
# | echo: true
import numpy as np

from llmlab.book import style

random = np.random.default_rng(0)
along, across = np.array([0.8, 0.6]), np.array([-0.6, 0.8])
size = np.array([-1.6, -1.1, -0.4, 0.6, 1.2, 1.7])
points = size[:, None] * along + 0.12 * random.standard_normal((6, 1)) * across
centred = points - points.mean(0)
direction = np.linalg.svd(centred.T, full_matrices=False).U[:, 0]
figure, panels = style.subplots(columns=2, height=2.9, sharey=True)
for axes, new, title in zip(
    panels,
    (1.0 * along + 0.25 * across, 0.5 * along + 1.3 * across),
    ("a task like the others", "a task of another kind"),
    strict=True,
):
    held = direction * (direction @ new)
    axes.axline((0, 0), tuple(direction), color=style.SKY, linewidth=1.5)
    axes.plot(*points.T, "o", color=style.BLUE)
    axes.plot(*np.stack([new, held]).T, "--", color=style.VERMILION, linewidth=1.2)
    axes.plot(*new, "s", color=style.VERMILION)
    axes.set(title=title, xlim=(-1.9, 1.9), ylim=(-1.7, 1.9), aspect="equal", xlabel="one entry")
panels[0].set(ylabel="another entry")
figure

# %% [markdown]
# ## In formulas
#
# An adapter adds $\Delta W = B A$ to a layer, with $B$ of shape $n \times r$ and $A$ of shape $r \times d$. Share puts the
# factors $B_1, \dots, B_t$ of all tasks side by side, subtracts the mean column, and keeps the $k$ leading left singular
# vectors $\beta$; it does the same with the transposes of $A$ to get $\alpha$. An adapter becomes its projection:
#
# $$ \Delta W_i \approx (\beta \varepsilon_i^\beta)(\alpha \varepsilon_i^\alpha)^\top, \qquad
# \varepsilon_i^\beta = \beta^\top B_i, \quad \varepsilon_i^\alpha = \alpha^\top A_i^\top. $$ {#eq-subspaces}
#
# $k$ is the smallest number of directions that hold 60 % of the variance. A new task can train its $\varepsilon$ alone,
# $2kr$ numbers per layer. Or it adds two directions of its own, and a new basis is made of all.
#
# ## How much does a basis hold?
#
# Six random adapters have nothing in common. Their best basis still holds more of them than random directions do,
# because it was made of them. Of any other adapter it holds no more than random directions:

# %%
# | echo: true
import torch
from IPython.display import Markdown

from llmlab.book.markup import pipe_table
from llmlab.book.show import badge
from llmlab.sleep.night.adapters import Factors
from llmlab.sleep.study.library import RANDOM, basis_of, captured


def adapter(seed: int) -> dict[str, Factors]:
    draw = torch.Generator().manual_seed(seed)
    return {
        "layer": Factors(torch.randn(64, 4, generator=draw), torch.randn(4, 64, generator=draw))
    }


seen, new = [adapter(seed) for seed in range(6)], [adapter(seed) for seed in range(6, 26)]
rows = []
for name, which in (("made of the six", "6"), ("drawn at random", RANDOM)):
    basis = basis_of(seen, which, 8, seed=0)
    shares = [sum(captured(each, basis) for each in group) / len(group) for group in (seen, new)]
    rows.append([name, *(f"{100 * share:.1f} %" for share in shares)])
Markdown(pipe_table(["Basis of 8 directions", "of the six", "of 20 others"], rows, numeric=(1, 2)))

# %% [markdown]
# So every claim about a shared basis needs two controls: the same number of random directions, and tasks that the basis
# was not made of. A [public test](https://github.com/cahlen/universal-subspace-stress-test) puts the claim that all models
# share one universal subspace [@uwsh2025] to such controls: the mean adapter alone scored what basis and mean scored
# together, and two fifths of the adapters had started from the same random $A$.
#
# ## What the book tests

# %%
Markdown(
    f"- Adapters projected onto a basis of their own lose nothing (H-SHARE-1): {badge('H-SHARE-1')}.\n"
    f"- A basis made of the tasks' own adapters beats chance (H-SHARE-4): {badge('H-SHARE-4')}.\n"
    f"- A basis of other families beats chance (H-BASIS-2): {badge('H-BASIS-2')}.\n"
    f"- Many adapters make a better basis than few (H-BASIS-1): {badge('H-BASIS-1')}.\n"
    "\nSee @sec-results-sleep-share and @sec-results-sleep-adapters.\n"
)

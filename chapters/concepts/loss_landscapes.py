# %% [markdown]
# # Loss landscapes {#sec-loss-landscapes}
#
# A model with a million weights is a point in a space of a million directions, and its loss is a height above that
# space. Nobody can see it. What one can do is to stand where training ended, choose two directions, and draw a map
# of the small plane that they span. @fig-landscape-plane is such a map. The words that people use for training,
# valleys and sharp or flat minima and hills between them, come from pictures like this one. This page makes them,
# and says what may be read from them and what not.

# %%
# | code-fold: true
# | code-summary: "Train a tiny GPT to reverse four letters"
# | echo: true
import itertools

import numpy as np
import torch
from torch import Tensor, nn

from llmlab.book import style
from llmlab.finetune.observe.landscape import (
    Landscape,
    Weights,
    barrier,
    moved,
    path,
    plane,
    weights_of,
)
from llmlab.finetune.tasks.batches import encode, epochs
from llmlab.finetune.tasks.skills import TOKENIZER, Item
from llmlab.gpt.model import GPT, GPTConfig, next_token_loss
from llmlab.gpt.training import TrainConfig, train

torch.set_num_threads(1)  # the same numbers on every run
words = ["".join(letters) for letters in itertools.product("abcd", repeat=4)]
reverse = encode([Item(f"{word}=", word[::-1]) for word in words])
rotate = encode([Item(f"{word}=", word[1:] + word[0]) for word in words])
tiny = GPTConfig(TOKENIZER.vocab_size, context=12, d_model=64, n_layers=2, n_heads=4)


def trained(task, rate: float, steps: int, order: int, start: Weights | None, init: int = 0):
    """A tiny GPT from given weights, or from random ones, trained on batches in some order."""
    torch.manual_seed(init)
    model = GPT(tiny)
    if start is not None:
        model.load_state_dict(start, strict=False)
    train(model, epochs(task, 32, order), TrainConfig(learning_rate=rate, steps=steps))
    return model


model = trained(reverse, 3e-3, steps=90, order=0, start=None)
minimum = weights_of(model)
landscape = Landscape(GPT(tiny), reverse)

# %%
# | label: fig-landscape-plane
# | fig-cap: "The loss of a tiny GPT on a plane through the point where its training ended (cross). Both axes count in lengths of the weights: at 1 every row of every matrix has been changed by as much as it is long."
# | fig-alt: "A map with round lines of equal loss around a cross: a flat dark floor in the middle, and a loss that rises evenly on all sides, to several nats at the corners."
distances = np.linspace(-1, 1, 13)
heights = np.array(plane(landscape, minimum, distances))

figure, axes = style.subplots(height=4.2)
levels = np.geomspace(heights.min(), heights.max(), 12)
filled = axes.contourf(distances, distances, np.log10(heights), np.log10(levels), cmap="viridis_r")
axes.contour(distances, distances, heights, levels, colors="white", linewidths=0.5)
axes.plot(0, 0, "x", color=style.INK)
bar = figure.colorbar(filled, ax=axes, ticks=np.log10(levels[::2]))
bar.ax.set_yticklabels(f"{level:.2g}" for level in levels[::2])
bar.set_label("loss (nats/token)")
ticks = np.linspace(-1, 1, 5)
axes.set(
    xlabel="first direction", ylabel="second direction", aspect="equal", xticks=ticks, yticks=ticks
)
axes.grid(visible=False)
figure

# %% [markdown]
# ## Which plane, and how far
#
# The two directions are drawn at random: no direction that anybody chose could speak for a hundred thousand others.
# But how long should a step be? Not every step of length one is the same. Our GPT has a LayerNorm in front of each
# pair of matrices. Multiply its gain and bias by ten and divide the weights behind it by ten, and every output
# stays what it was. The function is the same, up to rounding; the weights are not. A random step of one fixed
# length now shakes the smaller weights ten times as hard, and the same minimum looks *sharp*.
#
# @li2017landscape [section 4] measure each direction with the weights' own yardstick. Every filter of the
# direction, here every row of a matrix, is scaled to the length of the same row of the weights. Gains and biases do
# not move.

# %%
# | echo: true


def filter_normalised(weight: Tensor, generator: torch.Generator) -> Tensor:
    """A random direction for one parameter, each row as long as that of the weight."""
    if weight.ndim < 2:
        return torch.zeros_like(weight)
    drawn = torch.randn(weight.shape, generator=generator)
    return drawn * weight.norm(dim=1, keepdim=True) / drawn.norm(dim=1, keepdim=True)


def unscaled(weight: Tensor, generator: torch.Generator) -> Tensor:
    """A random direction for one parameter that knows nothing of the weight."""
    if weight.ndim < 2:
        return torch.zeros_like(weight)
    return 0.1 * torch.randn(weight.shape, generator=generator)


def rescaled(model: nn.Module, factor: float) -> Weights:
    """Other weights, the same function: gains times a factor, what reads them divided by it."""
    weights = weights_of(model)
    for block in range(tiny.n_layers):
        pairs = {"attention_norm": "attention.qkv", "mlp_norm": "mlp.up"}
        for norm, layer in pairs.items():
            weights[f"blocks.{block}.{norm}.weight"] *= factor
            weights[f"blocks.{block}.{norm}.bias"] *= factor
            weights[f"blocks.{block}.{layer}.weight"] /= factor
    return weights


# %%
# | label: fig-landscape-filters
# | fig-cap: "One function, two sets of weights that compute it (the gains of the second are ten times larger, the weights behind them ten times smaller). Left: along a random direction of one fixed length the second looks far sharper. Right: along a filter-normalised direction both look the same, as they should. Live demonstration."
# | fig-alt: "Two panels of loss over distance. Left: a wide curve for the original and a much narrower, higher one for the rescaled model. Right: the two curves lie on top of each other."
# | echo: true
ways = {"a fixed length": unscaled, "filter-normalised": filter_normalised}
spots = {"as trained": minimum, "rescaled": rescaled(model, 10)}
steps = np.linspace(-1, 1, 13)
figure, panels = style.subplots(1, 2, height=2.8, sharey=True)
for axes, (title, rule) in zip(panels, ways.items(), strict=True):
    for (name, spot), line in zip(spots.items(), ("-", "--"), strict=True):
        generator = torch.Generator().manual_seed(0)
        way = {part: rule(weight, generator) for part, weight in spot.items()}
        losses = [landscape.at(moved(spot, (step, way))).loss for step in steps]
        axes.plot(steps, losses, line, label=name)
    axes.set(title=title, xlabel="distance")
panels[0].set_ylabel("loss (nats/token)")
panels[1].legend(loc="upper center")
figure

# %% [markdown]
# ::: {.callout-note}
# **What a plane cannot show.** Two random directions are nearly at right angles to whatever is special, so a plane
# shows a *typical* slope, never the steepest one, and never the path that training took. A minimum that looks like
# a round bowl on a plane may be a gorge in one direction out of a hundred thousand. To find that one, ask for the
# curvature.
# :::
#
# ## Curvature: the sharpest direction
#
# Near a minimum the loss is a bowl. How fast it rises in a direction $v$ of length one is $\frac{1}{2} v^\top H v$,
# where $H$, the **Hessian**, holds the second derivative for each pair of weights. Its largest eigenvalue
# $\lambda_1$ is the curvature in the sharpest direction of all. The learning rate has to be small enough for that
# one direction (@sec-learning-rate).
#
# For $P$ weights the Hessian has $P^2$ numbers, too many to write down. But $Hv$, its product with one vector, is
# the derivative of a single number, the gradient's product with $v$, and costs hardly more than a gradient
# [@pearlmutter1994hessian]:
#
# $$ H v = \nabla \left( \nabla L \cdot v \right). $$ {#eq-hessian-product}
#
# In PyTorch these are two lines:

# %%
# | echo: true
from torch.nn.attention import SDPBackend, sdpa_kernel

matrices = [parameter for parameter in model.blocks.parameters() if parameter.ndim == 2]
with sdpa_kernel(SDPBackend.MATH):  # fused attention has no second derivative
    loss = next_token_loss(model(reverse.tokens_NT), reverse.targets_NT)
gradient = torch.cat([g.flatten() for g in torch.autograd.grad(loss, matrices, create_graph=True)])


def hessian_times(v: Tensor) -> Tensor:
    product = torch.autograd.grad(gradient @ v, matrices, retain_graph=True)
    return torch.cat([part.flatten() for part in product])


# %% [markdown]
# Multiply a random vector by $H$ again and again, and what is left is the sharpest direction, since that is
# stretched most. This is power iteration. **Lanczos' method** [@golub2013matrix, section 10.1] keeps all the
# vectors on the way instead of the last alone and reads the eigenvalues from a small table of their products. It
# needs fewer multiplications (@fig-landscape-lanczos). The lab uses it, with one precaution. In floating point the
# vectors lose their right angles as soon as an eigenvalue is found, and then copies of that eigenvalue appear; so
# each new vector is made orthogonal to all earlier ones. For ten or twenty vectors that costs next to nothing.

# %%
# | label: fig-landscape-lanczos
# | fig-cap: "How much of the largest eigenvalue is still missing after each multiplication with the Hessian, from the same random start. Live demonstration on the matrices of the tiny GPT."
# | fig-alt: "Two falling curves over the number of products on a logarithmic axis. That of Lanczos falls ever faster; that of power iteration falls evenly and lies far above it from the fourth product on."
# | echo: true
from llmlab.finetune.observe.curvature import lanczos

start = torch.randn(len(gradient), generator=torch.Generator().manual_seed(0))
power, v = [], start / start.norm()
for _ in range(20):
    hv = hessian_times(v)
    power.append((v @ hv).item())
    v = hv / hv.norm()
table = lanczos(hessian_times, start, n_steps=20)
krylov = [torch.linalg.eigvalsh(table[:k, :k])[-1].item() for k in range(1, len(table) + 1)]

figure, axes = style.subplots(height=2.8)
for name, found in {"power iteration": power, "Lanczos": krylov}.items():
    missing = [1 - value / krylov[-1] for value in found]
    axes.plot(range(1, 11), missing[:10], "o-", label=name)
axes.set(xlabel="products with the Hessian", ylabel="share that is missing", yscale="log")
axes.set_ylim(1e-6, 2)
axes.legend()
figure

# %% [markdown]
# How special is the sharpest direction? @fig-landscape-slices walks equally far along it and along a random one.

# %%
# | label: fig-landscape-slices
# | fig-cap: "The loss along the sharpest direction and along random ones, all equally far. Dotted: the parabola that the largest eigenvalue promises. Live demonstration."
# | fig-alt: "Steep curve along the sharpest direction, close to its parabola near the middle; three curves along random directions that are flat in comparison."
# | echo: true
names = [name for name, p in model.named_parameters() if p.ndim == 2 and name.startswith("blocks")]


def as_weights(v: Tensor) -> Weights:
    """A vector over the matrices as a direction for all parameters."""
    direction = {name: torch.zeros_like(weight) for name, weight in minimum.items()}
    parts = v.split([minimum[name].numel() for name in names])
    shaped = (part.view_as(minimum[name]) for name, part in zip(names, parts, strict=True))
    return direction | dict(zip(names, shaped, strict=True))


def slice_along(v: Tensor, steps: np.ndarray) -> list[float]:
    way = as_weights(v / v.norm())
    return [landscape.at(moved(minimum, (step, way))).loss for step in steps]


steps = np.linspace(-0.3, 0.3, 21)
figure, axes = style.subplots(height=3)
for seed in range(3):
    random = torch.randn(len(v), generator=torch.Generator().manual_seed(seed))
    label = "random directions" if seed == 0 else None
    axes.plot(steps, slice_along(random, steps), color=style.MUTED, label=label)
sharp = slice_along(v, steps)
axes.plot(steps, sharp, color=style.VERMILION, label="sharpest direction")
axes.plot(steps, sharp[10] + 0.5 * krylov[-1] * steps**2, ":", color=style.INK)
axes.set(xlabel="distance", ylabel="loss (nats/token)", ylim=(0, 1.1 * max(sharp)))
axes.legend()
figure

# %% [markdown]
# Random directions see almost nothing of it: nearly all directions are nearly flat, and a few are steep. The two
# measures answer different questions. The eigenvalue is what an optimizer must not overstep; the plane is what
# noise in all weights at once, such as rounding to four bits, would do.
#
# There is a second use of the eigenvalue. In gradient descent it tends to grow during training until the step is
# just as long as it can bear, $2/\lambda_1 \approx \eta$, and then stays there: the **edge of stability**
# [@cohen2021edge]. Adam does the same with its own yardstick [@cohen2022adaptive]. So a low learning rate may end
# in a sharper place, not because it looked for one, but because nothing threw it out.
#
# ## Paths: are two minima in one valley?
#
# Train twice and you get two sets of weights. Are these two places or two corners of one valley? Walk the straight
# line between them and watch the loss. If it rises above the line between its ends, there is a **barrier**
# [@frankle2019connectivity; @entezari2021permutation]:
#
# $$ \max_{0 \le t \le 1} \; L\big((1-t)\,w_0 + t\,w_1\big) - \big[(1-t)\,L(w_0) + t\,L(w_1)\big]. $$ {#eq-barrier}
#
# We teach the tiny GPT a second task, to rotate words, twice: once from the same model that can reverse, with
# batches in two different orders, and once from two different random starts.

# %%
# | label: fig-landscape-path
# | fig-cap: "Loss on the straight line between two trained models. Two fine-tunings of one base lie in one valley or nearly so; two trainings from different random weights have a hill between them. Live demonstration, one pair each."
# | fig-alt: "Two curves over the way from one model to the other. The curve of the shared base stays low; the other rises to a high hill in the middle."
# | echo: true
shares = np.linspace(0, 1, 11)
pairs = {
    "fine-tuned from one base": [trained(rotate, 1e-3, 150, order, minimum) for order in (1, 2)],
    "trained from two random starts": [
        trained(rotate, 3e-3, 250, order, None, init=order) for order in (1, 2)
    ],
}
rotating = Landscape(GPT(tiny), rotate)
figure, axes = style.subplots(height=3)
for name, (first, second) in pairs.items():
    ends = weights_of(first), weights_of(second)
    losses = [point.loss for point in path(rotating, *ends, shares)]
    axes.plot(100 * shares, losses, "o-", label=f"{name}: {barrier(losses, shares):.2f} nats high")
axes.set(xlabel="way from the first to the second (%)", ylabel="loss (nats/token)")
axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1))
figure

# %% [markdown]
# Models that are fine-tuned from the same weights tend to stay in one valley [@neyshabur2020transferred], which is
# why their weights can be averaged. The two random starts have no valley in common, at least no straight one: the
# neurons of one model are not those of the other in the same order, and halfway between two orders is neither. Does
# a LoRA run end in the same valley as full fine-tuning? It moves the same weights, but in a few directions only,
# and it may find solutions of another structure [@shuttleworth2024intruder].
#
# ## What the book tests
#
# - Do LoRA and full fine-tuning end in minima of a different shape: how curved, how flat in random directions, and
#   with a hill between them? @sec-results-training-dynamics
# - The step that curvature allows is the subject of @sec-learning-rate, and what Adam makes of it is that
#   of @sec-optimizer-state.

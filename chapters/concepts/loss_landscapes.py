# %% [markdown]
# # Loss landscapes {#sec-loss-landscapes}
#
# A model with a million weights is a point in a space with a million dimensions, and its loss is a height above that
# space. Nobody can see it. But you can stand where training ended, choose two directions, and draw a map of the plane
# they span. @fig-landscape-plane is such a map. The words people use for training, such as valleys, sharp or flat
# minima and hills between them, come from pictures like this. This page makes such pictures, and says what you may
# conclude from them and what not.

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
words = ["".join(letters) for letters in itertools.product("abc", repeat=4)]
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
# | fig-cap: "The loss of a tiny GPT on a plane through the point where its training ended (cross). The axes measure distance relative to the weights: at 1 every row of every matrix has changed by its own length."
# | fig-alt: "A map with round lines of equal loss around a cross: a flat bright floor in the middle, and a loss that rises on all sides, darkest at the corners."
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
# The two directions are random: no chosen direction could speak for a hundred thousand others. But how long should a
# step be? Steps of equal length are not equal. Our GPT has a LayerNorm in front of its matrices. Multiply the gain and
# bias of a LayerNorm by ten and divide the weights behind it by ten, and every output stays the same. Up to rounding,
# the function has not changed, but the weights have. A random step of fixed length now shakes the smaller weights ten
# times as hard, and the same minimum looks *sharp*.
#
# @li2017landscape [section 4] measure each direction relative to the weights (*filter normalisation*). They scale every
# filter of the direction, here every row of a matrix, to the length of the same row of the weights. Gains and biases do
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
    """A random direction for one parameter, whatever the size of the weight."""
    if weight.ndim < 2:
        return torch.zeros_like(weight)
    return 0.1 * torch.randn(weight.shape, generator=generator)


def rescaled(model: nn.Module, factor: float) -> Weights:
    """Other weights, the same function: gains times a factor, the matrices behind them divided by it."""
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
# | fig-cap: "Two sets of weights that compute the same function (in the second, the gains are ten times larger and the weights behind them ten times smaller). Left: along a random direction of one fixed length the second looks far sharper. Right: along a filter-normalised direction both look the same, as they should. Live demonstration."
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
# **What a plane cannot show.** Two random directions are nearly at right angles to anything special. So a plane shows a
# *typical* slope, never the steepest one, and never the path that training took. A minimum that looks like a round bowl
# on a plane may be a gorge in one direction out of a hundred thousand. To find that direction, measure the curvature.
# :::
#
# ## Curvature: the sharpest direction
#
# Near a minimum the loss is a bowl. In a direction $v$ of length one it rises by $\frac{1}{2} v^\top H v$ per squared
# unit of distance, where $H$, the **Hessian**, holds the second derivative for each pair of weights. The largest
# eigenvalue $\lambda_1$ of $H$ is the curvature in the sharpest direction of all. The learning rate has to be small
# enough for that one direction (@sec-learning-rate).
#
# For $P$ weights the Hessian has $P^2$ entries, too many to write down. But its product with one vector, $Hv$, is the
# gradient of a single number: the dot product of the loss gradient and $v$. It costs only a small multiple of a
# gradient [@pearlmutter1994hessian]:
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
# Multiply a random vector by $H$ again and again, and the sharpest direction remains, because $H$ stretches it most.
# This is power iteration. **Lanczos' method** [@golub2013matrix, section 10.1] keeps all the vectors on the way, not
# only the last, and reads the eigenvalues from a small matrix of their products. It needs fewer multiplications
# (@fig-landscape-lanczos). The lab uses it, with one precaution. In floating point the vectors stop being orthogonal as
# soon as an eigenvalue has converged, and then copies of that eigenvalue appear. So each new vector is made orthogonal
# to all earlier ones. For ten or twenty vectors that costs almost nothing.

# %%
# | label: fig-landscape-lanczos
# | fig-cap: "Share of the largest eigenvalue that is still missing after each multiplication by the Hessian, from the same random start. Live demonstration on the matrices of the tiny GPT."
# | fig-alt: "Two falling curves over the number of products on a logarithmic axis. That of Lanczos falls ever faster; that of power iteration falls evenly and lies far above it from the fifth product on."
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
axes.set(xlabel="products with the Hessian", ylabel="share still missing", yscale="log")
axes.set_ylim(1e-6, 2)
axes.legend()
figure

# %% [markdown]
# How special is the sharpest direction? @fig-landscape-slices walks the same distance along it and along random ones.

# %%
# | label: fig-landscape-slices
# | fig-cap: "The loss along the sharpest direction and along random ones, over the same distance. Dotted: the parabola that the largest eigenvalue predicts. Live demonstration."
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
# measures answer different questions. The eigenvalue limits the step of an optimizer. The plane shows the effect of
# noise in all weights at once, such as rounding them to four bits.
#
# The eigenvalue matters for another reason. In gradient descent it tends to grow during training until it is as large
# as the learning rate tolerates, $\lambda_1 \approx 2/\eta$, and then stays there: the **edge of stability**
# [@cohen2021edge]. Adam does the same, with curvature measured in its own rescaled coordinates [@cohen2022adaptive]. So
# a low learning rate may end in a sharper minimum, not because it looked for one, but because nothing threw it out.
#
# ## Paths: are two minima in the same valley?
#
# Train twice and you get two sets of weights. Are these two valleys, or two places in one valley? Walk the straight
# line between them and watch the loss. If it rises above the straight line that connects the losses at the two ends,
# there is a **barrier** [@frankle2019connectivity; @entezari2021permutation]:
#
# $$ \begin{aligned} \max_{0 \le t \le 1} \; & L\big((1-t)\,w_0 + t\,w_1\big) \\ & - \big[(1-t)\,L(w_0) + t\,L(w_1)\big]. \end{aligned} $$ {#eq-barrier}
#
# We teach the tiny GPT a second task, rotating words, in two ways. In the first, two copies of the model that can
# reverse learn it, with batches in different orders. In the second, two models learn it from different random weights.

# %%
# | label: fig-landscape-path
# | fig-cap: "Loss on the straight line between two trained models. Two models fine-tuned from one base share a valley, or nearly so; two models trained from different random weights have a hill between them. Live demonstration, one pair each."
# | fig-alt: "Two curves over the way from one model to the other. The curve of the shared base stays low; the other rises to a high hill in the middle."
# | echo: true
shares = np.linspace(0, 1, 11)
pairs = {
    "fine-tuned from one base": [trained(rotate, 1e-3, 100, order, minimum) for order in (1, 2)],
    "trained from two random initialisations": [
        trained(rotate, 3e-3, 150, order, None, init=order) for order in (1, 2)
    ],
}
rotating = Landscape(GPT(tiny), rotate)
figure, axes = style.subplots(height=3)
for name, (first, second) in pairs.items():
    ends = weights_of(first), weights_of(second)
    losses = [point.loss for point in path(rotating, *ends, shares)]
    axes.plot(100 * shares, losses, "o-", label=f"{name}: {barrier(losses, shares):.2f} nats high")
axes.set(xlabel="position between the first and the second model (%)", ylabel="loss (nats/token)")
axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1))
figure

# %% [markdown]
# Models fine-tuned from the same weights tend to stay in one valley [@neyshabur2020transferred], which is why their
# weights can be averaged. The two random initialisations share no valley, at least no straight one: the neurons of one
# model do the work of the other's in a different order, and the average of two orders is neither. Does a LoRA run end
# in the same valley as full fine-tuning? It changes the same weights, but in only a few directions, and it may find
# solutions of another structure [@shuttleworth2024intruder].
#
# ## What the book tests
#
# - Do LoRA and full fine-tuning end in minima of a different shape: how curved, how flat in random directions, and with
#   a hill between them? @sec-results-training-dynamics
# - Which step does the curvature allow (@sec-learning-rate), and how does Adam adapt it (@sec-optimizer-state)?

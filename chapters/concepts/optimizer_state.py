# %% [markdown]
# # What the optimizer remembers {#sec-optimizer-state}
#
# Between two steps, the training of a GPT keeps three numbers per weight, not one. Next to the weight itself the
# optimizer keeps two: the mean of its recent gradients, and the mean of their squares. Most people never look at them,
# but they decide how far each weight moves. @fig-optimizer-sizes looks at the second one in a tiny GPT that has just
# learned something.

# %%
# | code-fold: true
# | code-summary: "Train a tiny GPT to reverse four letters, and keep its optimizer"
# | echo: true
import itertools

import numpy as np
import torch
from torch import Tensor

from llmlab.book import style
from llmlab.finetune.observe.noise_scale import measured_noise
from llmlab.finetune.observe.optimizer_state import moments
from llmlab.finetune.tasks.batches import encode, epochs
from llmlab.finetune.tasks.skills import TOKENIZER, Item
from llmlab.gpt.model import GPT, GPTConfig
from llmlab.gpt.training import TrainConfig, Trainer

torch.set_num_threads(1)  # the same numbers on every run
torch.manual_seed(0)
words = ["".join(letters) for letters in itertools.product("abcd", repeat=4)]
reverse = encode([Item(f"{word}=", word[::-1]) for word in words])
tiny = GPTConfig(TOKENIZER.vocab_size, context=12, d_model=64, n_layers=2, n_heads=4)
trainer = Trainer(GPT(tiny), TrainConfig(learning_rate=3e-3, steps=120))
noise = {}
for point in trainer.points(epochs(reverse, 32, seed=0)):
    if point.step % 20 == 0:
        noise[point.step] = measured_noise(trainer.model, reverse, chunk=16)

memory = moments(trainer.model, trainer.optimizer)

# %%
# | label: fig-optimizer-sizes
# | fig-cap: "The root mean square of recent gradients, $\\sqrt{\\hat v}$, of all weights in five parameter tensors of a tiny GPT at the end of training. The axis is logarithmic. Live demonstration."
# | fig-alt: "Five histograms over a logarithmic axis. Most weights lie between a hundred-thousandth and a thousandth; attention has two humps a decade apart, and the token embedding a small second group a hundred times to the right."
shown = {
    "token embedding": "token_embedding.weight",
    "attention: queries, keys, values": "blocks.1.attention.qkv.weight",
    "MLP: up": "blocks.1.mlp.up.weight",
    "MLP: down": "blocks.1.mlp.down.weight",
    "LayerNorm: gain": "blocks.1.mlp_norm.weight",
}
bins = np.linspace(-6, -1, 60)
figure, rows = style.subplots(len(shown), height=4.6, sharex=True)
for axes, (title, name), colour in zip(rows, shown.items(), style.CYCLE, strict=False):
    found = memory[name]
    axes.hist(found.size[found.moves].log10().numpy(), bins, color=colour)
    axes.set_title(title, fontsize=9)
    axes.set_yticks([])
rows[-1].set_xticks(range(-6, 0), [f"$10^{{{power}}}$" for power in range(-6, 0)])
rows[-1].set_xlabel("root mean square of recent gradients")
figure

# %% [markdown]
# Within one matrix some weights see gradients ten or a hundred times as large as others. The small group in the
# embedding are the few tokens that occur at all; the two humps in attention are queries and keys on the left, values on
# the right. One step length for all of them, as in plain gradient descent, would be too long for some and almost
# nothing for most. Adam [@kingma2014adam] gives each weight its own.
#
# ## Adam in six lines
#
# For each weight with gradient $g$, Adam updates two running means, corrects them because they start at zero, and
# divides:
#
# $$ m \leftarrow \beta_1 m + (1-\beta_1)\, g, \qquad v \leftarrow \beta_2 v + (1-\beta_2)\, g^2, \qquad
#    w \leftarrow w - \eta \, \frac{\hat m}{\sqrt{\hat v} + \varepsilon} $$ {#eq-adam}
#
# with $\hat m = m / (1 - \beta_1^t)$ and $\hat v = v / (1 - \beta_2^t)$ after $t$ steps.

# %%
# | echo: true


def adam(gradients: Tensor, rate: float, beta1: float = 0.9, beta2: float = 0.95) -> Tensor:
    """Where a weight that starts at 0 is after each of T gradients, shape [T]."""
    w, m, v, places = 0.0, 0.0, 0.0, []
    for step, gradient in enumerate(gradients.tolist(), start=1):
        m = beta1 * m + (1 - beta1) * gradient
        v = beta2 * v + (1 - beta2) * gradient**2
        m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
        w -= rate * m_hat / (v_hat**0.5 + 1e-8)
        places.append(w)
    return torch.tensor(places)


gradients = torch.randn(50, generator=torch.Generator().manual_seed(0))
weight = torch.nn.Parameter(torch.zeros(()))
reference = torch.optim.Adam([weight], lr=0.1, betas=(0.9, 0.95))
places = []
for gradient in gradients:
    weight.grad = gradient.clone()
    reference.step()
    places.append(weight.item())
torch.testing.assert_close(adam(gradients, rate=0.1), torch.tensor(places))

# %% [markdown]
# The last line compares our version with PyTorch's own; the book would not build if they differed.
#
# ## How much of the learning rate is used?
#
# The learning rate $\eta$ is multiplied by $\hat m / \sqrt{\hat v}$. This ratio is roughly between minus one and one.
# It does not say how large the gradients are, but how much they *agree*. If every gradient is the same, the ratio is
# one, and the weight moves at the full rate, however small the gradients are. If the gradients are noise, they cancel
# in $\hat m$ but not in $\hat v$, and the weight moves little. @fig-optimizer-share shows this for gradients with a
# known signal and known noise.

# %%
# | label: fig-optimizer-share
# | fig-cap: "Share of the learning rate that Adam uses when gradients are a constant (the signal) plus noise, by the ratio of the two: how far a weight moves, and how far it moves in the right direction. Means of 2,000 weights after 100 steps. Live demonstration."
# | fig-alt: "Two curves over a logarithmic axis. The right direction rises from nearly nothing to one; the distance moved starts at a fifth, where noise rules, and joins it at one."
# | echo: true


def shares_used(signal: float, n_weights: int = 2000, n_steps: int = 100) -> tuple[float, float]:
    """Means of |m̂|/√v̂ and of m̂/√v̂ where gradients are `signal` plus noise of size 1."""
    generator = torch.Generator().manual_seed(0)
    m, v = torch.zeros(n_weights), torch.zeros(n_weights)
    for _ in range(n_steps):
        gradient = signal + torch.randn(n_weights, generator=generator)
        m = 0.9 * m + 0.1 * gradient
        v = 0.95 * v + 0.05 * gradient**2
    share = m / v.sqrt()
    return share.abs().mean().item(), share.mean().item()


ratios = np.geomspace(0.03, 30, 16)
moved, right = zip(*(shares_used(ratio) for ratio in ratios), strict=True)
figure, axes = style.subplots(height=2.8)
axes.plot(ratios, moved, "s--", label="moved")
axes.plot(ratios, right, "o-", label="moved in the right direction")
axes.set(xscale="log", xlabel="signal / noise", ylabel="share of the learning rate", ylim=(0, 1.05))
axes.legend()
figure

# %% [markdown]
# This is how the batch size matters. A batch four times as large halves the noise in each gradient and so moves every
# weight to the right on these curves. Where noise dominates, the useful part of a step grows in proportion to signal
# over noise, that is, like the *square root* of the batch size, and the useless part shrinks, so training tolerates a
# higher learning rate. Where the signal dominates, the curve is flat: a larger batch gains nothing more. @li2024surge
# work this out for Adam, and find that the best rate first rises with the batch size and then even falls.
#
# ## How much of a gradient is noise?
#
# Where is the knee of that curve for a real model? A batch of $n$ examples gives the true gradient $G$ plus noise whose
# variance, summed over all weights, is $\operatorname{tr}(\Sigma) / n$, where $\Sigma$ is the covariance of the
# gradients of single examples. Signal and noise are equally strong at
#
# $$ \mathcal{B}_\text{simple} = \frac{\operatorname{tr}(\Sigma)}{|G|^2} $$ {#eq-noise-scale}
#
# examples. This is the **gradient noise scale** of @mccandlish2018batch [equation 2.9]. We can measure it without
# knowing $G$: the mean squared norm of a gradient is $|G|^2 + \operatorname{tr}(\Sigma)/n$, so norms at two batch sizes
# give both unknowns.

# %%
# | echo: true


def noise_scale(small: float, big: float, n_small: int, n_big: int) -> float:
    """tr(Σ)/|G|² from mean squared gradient norms at two batch sizes (appendix A.1)."""
    squared_norm = (n_big * big - n_small * small) / (n_big - n_small)
    trace = (small - big) / (1 / n_small - 1 / n_big)
    return trace / squared_norm


generator = torch.Generator().manual_seed(0)
true, spread = torch.full((1000,), 0.1), 2.0  # |G|² = 10, tr(Σ) = 4000: 400 examples
examples = true + spread * torch.randn(2048, 1000, generator=generator)
parts = examples.view(128, 16, 1000).mean(dim=1)
estimate = noise_scale(
    parts.square().sum(dim=1).mean().item(), examples.mean(dim=0).square().sum().item(), 16, 2048
)
print(f"truth 400 examples, estimate {estimate:.0f}")

# %%
# | label: fig-optimizer-noise
# | fig-cap: "Noise scale of the tiny GPT while it learns, measured on all 256 words in parts of 16. Live demonstration, one run."
# | fig-alt: "A curve on a logarithmic axis that starts at some ten examples, is above a hundred after twenty steps, and falls back to ten."
figure, axes = style.subplots(height=2.8)
axes.plot(list(noise), [found.scale for found in noise.values()], "o-")
axes.set(xlabel="step", ylabel="noise scale (examples)", yscale="log")
figure

# %% [markdown]
# The noise scale belongs to a moment, not to a task (@fig-optimizer-noise). At the very start a handful of examples
# shows the way, because all of them say the same: which letters can be answers at all. On the plateau that follows, the
# examples agree on little, and it takes many of them to reveal the rule. Once the model has begun to follow the rule,
# they agree again.
#
# ## The first steps
#
# Both means start at zero, and the divisions by $1 - \beta^t$ in @eq-adam correct for that. Without the correction the
# first steps would have the wrong length (@fig-optimizer-correction): with the usual $\beta_2$ of 0.999 they would be
# three times too long, and soon six times, because $v$ warms up more slowly than $m$.

# %%
# | label: fig-optimizer-correction
# | fig-cap: "Share of the learning rate that Adam would use on a constant gradient without bias correction. With the correction it is one from the first step on."
# | fig-alt: "Two curves over fifty steps. For beta two of 0.999 it starts near three and rises above six before it falls; for 0.95 it starts below a half and is close to one from the tenth step on."
# | echo: true
steps = np.arange(1, 51)
figure, axes = style.subplots(height=2.6)
for beta2 in (0.999, 0.95):
    uncorrected = (1 - 0.9**steps) / np.sqrt(1 - beta2**steps)
    axes.plot(steps, uncorrected, label=f"$β_2$ = {beta2}")
axes.axhline(1, color=style.MUTED, linestyle="--")
axes.set(xlabel="step", ylabel="share of the learning rate", ylim=(0, None))
axes.legend()
figure

# %% [markdown]
# ## What it costs
#
# The two means take as much memory as two copies of the weights, and they are usually kept in 32 bits. So in full
# fine-tuning the optimizer takes twice the memory of the weights. LoRA trains a few percent of the numbers, and the
# optimizer remembers only those (@sec-lora). LoRA saves memory here as well as in the gradients.

# %%
# | label: tbl-optimizer-memory
# | tbl-cap: "What training keeps in memory for the book's laptop-scale GPT, in 32 bits, without activations (MiB)."
# | echo: true
from IPython.display import Markdown

from llmlab.book.markup import pipe_table
from llmlab.finetune.model.lora import LoraSpec

gpt = GPT(GPTConfig(TOKENIZER.vocab_size, context=32, d_model=128, n_layers=4, n_heads=4))
weights = sum(parameter.numel() for parameter in gpt.parameters())
adapted = LoraSpec(rank=8, alpha=16).adapt(gpt, seed=0)
adapter = sum(parameter.numel() for parameter in adapted.parameters() if parameter.requires_grad)
rows = [
    [name, *(f"{4 * n / 2**20:.2f}" for n in (stored, n_trained, 2 * n_trained))]
    for name, stored, n_trained in (
        ("full fine-tuning", weights, weights),
        ("LoRA, rank 8", weights + adapter, adapter),
    )
]
Markdown(pipe_table(["method", "weights", "gradients", "optimizer"], rows, numeric=[1, 2, 3]))

# %% [markdown]
# ## What the book tests
#
# - How does the best learning rate change with the batch size, how does the noise scale grow, and do larger batches let
#   more weights move at the full rate? @sec-results-training-dynamics
# - What does each part of the optimizer buy in pretraining, including $\beta_2$? @sec-results-optimizer
# - What is the shape of the loss that Adam descends? @sec-loss-landscapes

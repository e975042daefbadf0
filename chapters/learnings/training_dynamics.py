# %% [markdown]
# # Do you understand training? {#sec-learnings-dynamics}
#
# Here are ten questions about what happens inside a run. Answer each for yourself, on paper where it needs a number,
# and then read the answer. A few lines of code compute most answers while this book is built; experiments of the book
# give the others. The last section asks how small an experiment can be and still show something, and answers in seconds
# and lines.

# %%
# | include: false
import inspect
import itertools
import math

import numpy as np
import torch
from IPython.display import Markdown

from llmlab.book import style
from llmlab.book.markup import pipe_table
from llmlab.book.show import (
    cite,
    command,
    evidence,
    figure,
    method,
    note,
    says,
    scales,
    verdict,
)
from llmlab.method.judging import statistics

# %%
note("minimum")

# %% [markdown]
# ## One step
#
# ### Forward and backward by hand
#
# A network with two weights computes $\hat y = w_2 \, \max(0, w_1 x)$, and its loss is $L = (\hat y - y)^2$. Let $x = 2$,
# $y = 1$, $w_1 = 0.5$ and $w_2 = -1$. What are the loss and its two gradients? What would both gradients be with
# $w_1 = -0.5$, and what does that mean for training?
#
# ::: {.details summary="The answer"}
#
# Go forward, and keep what the backward pass will need: $h = \max(0, w_1 x) = 1$, $\hat y = w_2 h = -1$,
# $L = (-1-1)^2 = 4$. Then go backward, from the loss to the weights:
# $\partial L / \partial \hat y = 2(\hat y - y) = -4$. So $\partial L / \partial w_2 = -4 \, h = -4$, and
# $\partial L / \partial w_1 = -4 \cdot w_2 \cdot x = 8$. With $w_1 = -0.5$ the unit is off: $h = 0$, nothing passes
# through it either way, and both gradients are zero, although the loss is not. No step will ever bring the unit back
# for this $x$. PyTorch agrees:

# %%
# | echo: true
# | code-fold: false
for start in (0.5, -0.5):
    w1, w2 = torch.tensor(start, requires_grad=True), torch.tensor(-1.0, requires_grad=True)
    loss = (w2 * torch.relu(w1 * 2) - 1) ** 2
    loss.backward()
    print(f"w1 = {start:4}:  loss {loss:.0f},  dL/dw1 = {w1.grad:.0f},  dL/dw2 = {w2.grad + 0:.0f}")

# %% [markdown]
# :::
#
# ### What the backward pass costs
#
# A linear layer maps a batch with one matrix product. How many matrix products does its backward pass take? And how
# many if the layer is frozen, as under LoRA?
#
# ::: {.details summary="The answer"}
#
# Two: one for the gradient of the input, which the layer below needs, and one for the gradient of the weights. So the
# backward pass costs twice as much as the forward pass. A frozen layer needs no gradient of its weights, but the
# gradient of its input still has to pass. So LoRA saves at most a third of the work of a step, however few parameters
# it trains. We count instead of estimating:

# %%
# | echo: true
# | code-fold: false
from torch.utils.flop_counter import FlopCounterMode


def products(frozen: bool) -> tuple[float, float]:
    """Products of a linear layer's forward and of its backward pass."""
    layer = torch.nn.Linear(64, 64, bias=False).requires_grad_(not frozen)
    x = torch.randn(32, 64, requires_grad=True)
    with FlopCounterMode(display=False) as forward:
        y = layer(x)
    with FlopCounterMode(display=False) as backward:
        y.sum().backward()
    one = 2 * 32 * 64 * 64
    return forward.get_total_flops() / one, backward.get_total_flops() / one


for frozen in (False, True):
    forward, backward = products(frozen)
    print(f"frozen: {frozen!s:5}  forward {forward:.0f}, backward {backward:.0f} products")

# %% [markdown]
# :::
#
# ### Where the loss starts
#
# A new model with a vocabulary of $V$ tokens has seen nothing. What should its first loss be? What if the first loss
# you see is twice as high? Or half as high?
#
# ::: {.details summary="The answer"}
#
# A model that knows nothing should give every token the same probability, which is a loss of $\ln V$. A loss of twice
# that means that the model is *confident and wrong*: the output weights start too large, and the first steps are spent
# on unlearning. Half of it means that the model knows something it cannot know: check whether the targets leak into the
# inputs.

# %%
# | echo: true
# | code-fold: false
vocabulary, width = 512, 64
generator = torch.Generator().manual_seed(0)
x = torch.randn(1000, width, generator=generator)
targets = torch.randint(vocabulary, (1000,), generator=generator)
for size in (0.02, 1.0):
    head = size * torch.randn(vocabulary, width, generator=generator)
    loss = torch.nn.functional.cross_entropy(x @ head.T, targets)
    print(f"output weights of size {size}: loss {loss:.2f}, ln V = {math.log(vocabulary):.2f}")

# %% [markdown]
# :::
#
# ### The first step of LoRA
#
# An adapter computes $B A x$, and $B$ starts at zero. Which of the two matrices receives a gradient in the very first
# step? Why not start both at zero, or neither?
#
# ::: {.details summary="The answer"}
#
# Only $B$. The gradient of $A$ passes through $B$, which is zero; the gradient of $B$ has $A x$ as a factor, which is
# not. With both at zero neither would ever move: the run would sit at a saddle point where every gradient is zero. With
# neither at zero the run would not start from the base model.

# %%
# | echo: true
# | code-fold: false
a = torch.randn(4, 16, generator=generator).requires_grad_()
b = torch.zeros(16, 4, requires_grad=True)
x = torch.randn(16, generator=generator)
(b @ (a @ x) - 1).square().sum().backward()
print(f"gradient of A: {a.grad.norm():.2f}, gradient of B: {b.grad.norm():.2f}")

# %% [markdown]
# :::
#
# ## The landscape and the learning rate
#
# ### How high can the learning rate be?
#
# Near a minimum the loss looks like a bowl, $L = \frac{1}{2} h w^2$, where $h$ is its curvature. At which learning
# rates does gradient descent converge, and what happens at the limit? If a bowl has two directions, one with a hundred
# times the curvature of the other, how fast can the flat one be learned?
#
# ::: {.details summary="The answer"}
#
# One step multiplies $w$ by $1 - \eta h$. That shrinks $w$ as long as $\eta < 2/h$; at $2/h$ it jumps from side to side
# forever, and above it explodes. The direction with the largest curvature sets the limit for all: with a hundred times
# less curvature, the flat direction shrinks by at most two percent per step. Adam fixes this by giving each weight its
# own step (@sec-optimizer-state). The limit is also why a high rate ends in flat places: it could not stay in a narrow
# one (@sec-loss-landscapes).

# %%
# | label: fig-dynamics-bowl
# | fig-cap: "Gradient descent from $w = 1$ in a bowl of curvature $h$, at learning rates below, at and above the limit $2/h$. Live demonstration."
# | fig-alt: "Four paths of the weight over steps: one glides to zero, one jumps from side to side and dies down, one keeps jumping forever, one grows with every jump."
# | echo: true
# | code-fold: false
drawn, axes = style.subplots(height=2.8)
for index, share in enumerate((0.05, 0.9, 1.0, 1.05)):
    path = [(1 - 2 * share) ** step for step in range(13)]
    axes.plot(path, "o-", color=style.CYCLE[index], label=f"{share} of 2/h", markersize=3)
axes.set(xlabel="step", ylabel="weight $w$")
axes.legend(ncols=2)
drawn

# %% [markdown]
# :::
#
# ### How far does Adam step at first?
#
# Three weights have gradients of a thousandth, one, and a thousand. How far does the first step of Adam move each, at a
# learning rate $\eta$? How far does plain gradient descent? What does this say about the first steps of fine-tuning?
#
# ::: {.details summary="The answer"}
#
# Adam moves each of them by $\eta$. After one step both running means, corrected for their start at zero, hold that one
# gradient, so $\hat m / \sqrt{\hat v}$ is plus or minus one, whatever the size. Plain gradient descent moves them in
# proportion: the last a million times as far as the first. So Adam's first steps move *all* weights by the full rate,
# including those with hardly a reason to move. That is what warm-up is for, and why a few steps at full rate are enough
# to damage what a model knew.

# %%
# | echo: true
# | code-fold: false
moved = {}
for name, optimizer in {"Adam": torch.optim.Adam, "SGD": torch.optim.SGD}.items():
    weights = torch.nn.Parameter(torch.zeros(3))
    weights.grad = torch.tensor([1e-3, 1.0, 1e3])
    optimizer([weights], lr=0.01).step()
    moved[name] = -weights.detach()
    print(f"{name:4} moves by {', '.join(f'{move:.2g}' for move in moved[name].tolist())}")

# %% [markdown]
# @sec-dynamics-minimum measures how few steps are enough to do damage.
#
# :::
#
# ### What does clipping change?
#
# The gradients of one run are a thousand times larger than those of another, step by step. How do the two runs differ
# under Adam? Now we clip every gradient with a norm above one to a norm of one. What does that change, and in which
# run?
#
# ::: {.details summary="The answer"}
#
# They do not differ: a constant factor cancels in $\hat m / \sqrt{\hat v}$ (except for $\varepsilon$). If clipping
# applies at every step of the run with the large gradients, all of them get norm one: they lose the information about
# *which step mattered more* and keep their directions. Clipping is meant for the rare step whose gradient is far above
# the others. That gradient would stay in $\hat v$ for dozens of steps and hold all of them back.

# %%
# | label: fig-dynamics-spike
# | fig-cap: "Share of the learning rate that Adam uses before and after one gradient that is a hundred times too large, with and without clipping. Live demonstration."
# | fig-alt: "Two lines near one; without clipping the line jumps at the spike and then stays far below one for dozens of steps, with clipping it hardly moves."
# | echo: true
# | code-fold: false


def share_of_rate(gradients: np.ndarray) -> list[float]:
    """|m̂| / √v̂ of Adam (β = 0.9, 0.95) after each of many gradients."""
    m = v = 0.0
    shares = []
    for step, gradient in enumerate(gradients, start=1):
        m, v = 0.9 * m + 0.1 * gradient, 0.95 * v + 0.05 * gradient**2
        shares.append(abs(m / (1 - 0.9**step)) / math.sqrt(v / (1 - 0.95**step)))
    return shares


gradients = np.ones(120)
gradients[30] = 100
drawn, axes = style.subplots(height=2.6)
axes.plot(share_of_rate(gradients), label="unclipped")
axes.plot(share_of_rate(gradients.clip(max=1)), "--", label="clipped")
axes.set(xlabel="step", ylabel="share of the learning rate", ylim=(0, None))
axes.legend()
drawn

# %%
Markdown(
    says(
        "H-OPT-5",
        supported="In our own short runs nothing spiked, and clipping changed nothing, as expected",
        refuted="In our own short runs clipping mattered, contrary to what this argument suggests",
        undecided="We expected clipping to change nothing in our own short runs; the runs do not decide it",
        untested="We have not tested yet whether clipping matters in our own short runs",
    )
    + f" (@sec-results-optimizer; {cite('H-OPT-5')})."
)

# %% [markdown]
# :::
#
# ### Batch size and learning rate
#
# You make the batch four times as large and take a quarter of the steps. What happens to the noise of the gradient? And
# to the best learning rate? From which batch size on does a larger batch stop helping?
#
# ::: {.details summary="The answer"}
#
# The noise of a mean over $B$ examples falls like $1/\sqrt{B}$: four times the batch halves the noise and quarters its
# variance. While noise limits the learning rate, each step may then be longer: in plain gradient descent up to four
# times, and the two runs learn equally well. But no batch makes a step longer than the curvature allows ($2/h$ again).
# Beyond the *noise scale*, the variance of one example's gradient over the squared norm of the mean gradient, the
# gradient is almost exact, and more examples are wasted [@mccandlish2018batch].

# %%
# | label: fig-dynamics-batch
# | fig-cap: "Best learning rate of plain gradient descent on a noisy bowl, by batch size, for a fixed number of examples. The dashed line is proportional to the batch size; the dotted line is the stability limit. Live demonstration."
# | fig-alt: "The best rate rises in proportion to the batch size at first, then bends and stays below a horizontal limit."
# | echo: true
# | code-fold: false


def final_loss(rate: float, batch_size: int, examples: int = 4096) -> float:
    """Expected loss after SGD on L = w²/2 from w = 1, gradient noise of variance 10 per example."""
    mean, variance = 1.0, 0.0
    for _ in range(examples // batch_size):
        mean = (1 - rate) * mean
        variance = (1 - rate) ** 2 * variance + rate**2 * 10 / batch_size
    return (mean**2 + variance) / 2


rates = np.geomspace(1e-4, 1.99, 200)
batch_sizes = 2 ** np.arange(0, 12)
best_rates = [min(rates, key=lambda rate: final_loss(rate, size)) for size in batch_sizes]
drawn, axes = style.subplots(height=2.8)
axes.plot(batch_sizes, best_rates, "o-")
axes.plot(batch_sizes, best_rates[0] * batch_sizes, "--", color=style.MUTED)
axes.axhline(2, linestyle=":", color=style.MUTED)
axes.set(xlabel="batch size", ylabel="best learning rate", ylim=(5e-4, 4))
axes.set_xscale("log", base=2)
axes.set_yscale("log")
drawn

# %%
Markdown(
    "In our fine-tuning with Adam, "
    + says(
        "H-BATCH-2",
        supported="the best rate of large batches is high",
        refuted="the best rate of large batches is not as high as we expected",
        undecided="the runs do not decide where the best rate of large batches is",
        untested="we have not tested at laptop or gpu scale yet where the best rate of large batches is",
    )
    + f" ({cite('H-BATCH-2')}), "
    + says(
        "H-BATCH-1",
        supported="and that of small batches is low",
        refuted="and that of small batches is not as low as we expected",
        undecided="and it is open where that of small batches is",
        untested="nor where that of small batches is",
    )
    + f" ({cite('H-BATCH-1')})."
)

# %% [markdown]
# :::
#
# ## Reading results
#
# ### The loss falls smoothly, accuracy jumps
#
# During a run the loss per token falls steadily. The share of exact answers stays near zero for half of the run, and
# then rises quickly. Did the model suddenly understand?
#
# ::: {.details summary="The answer"}
#
# Not necessarily. An answer of $n$ tokens is exact only if every token is right. If each token is right with
# probability $p$, independently, the whole answer is right with probability $p^n$, which stays near zero until $p$ is
# close to one. A jump in a hard metric can be a steady climb in a soft one: look at the loss before you speak of a
# leap.

# %%
# | label: fig-dynamics-exact
# | fig-cap: "Exact answers of $n$ tokens when each token is right with probability $p$."
# | fig-alt: "Three curves over p from zero to one: a straight line for one token, and ever later and steeper rises for four and sixteen."
# | echo: true
# | code-fold: false
p = np.linspace(0, 1, 101)
drawn, axes = style.subplots(height=2.6)
for index, n_tokens in enumerate((1, 4, 16)):
    axes.plot(p, p**n_tokens, color=style.CYCLE[index], label=f"n = {n_tokens}")
axes.set(xlabel="probability that a token is right, p", ylabel="share of exact answers")
axes.legend()
drawn

# %% [markdown]
# :::
#
# ### How sure are five seeds?
#
# Two settings differ by as much as their paired differences vary from seed to seed (the mean of the paired differences
# is one standard deviation). You run five seeds of each. How often will a one-sided test at five percent detect the
# difference?
#
# ::: {.details summary="The answer"}
#
# Not much more often than not. Simulate this before the experiment, not after. A claim of *no* difference needs even
# more seeds.

# %%
# | echo: true
# | code-fold: false
generator, lines = np.random.default_rng(0), []
for n_seeds in (3, 5, 8, 10, 20):
    runs = generator.normal(loc=1.0, size=(1000, n_seeds))
    seen = np.mean([statistics.t_above(differences, 0.0) < 0.05 for differences in runs])
    lines.append(f"{n_seeds:2} seeds: detected in {seen:.0%} of 1,000 simulated experiments")
print("\n".join(lines))

# %% [markdown]
# :::
#
# ## The minimum interesting experiment {#sec-dynamics-minimum}
#
# Most of what is hard about training shows in small runs. How small can a run be and still show something new? Our
# experiment measures what the first steps of fine-tuning do: at a good learning rate and at a tenth of it, for a
# handful of steps, on a model that knows four skills (@sec-results-base-model). The claim: what the model *loses*
# shows before what it *gains*.

# %%
# | label: fig-dynamics-minimum
# | fig-cap: "What the model learns (subtraction, held-out items) and forgets (mean drop in accuracy on the four old skills) after a few steps, at two learning rates. Dots are single runs."
# | fig-alt: "Upper panel: accuracy on the new skill over the number of steps, two lines. Lower panel: forgetting over the number of steps, two lines."
figure("minimum", ["accuracy", "forgetting"], x="steps", by="learning_rate")

# %%
verdict("H-MINIMUM-1")

# %%
verdict("H-MINIMUM-2")

# %%
verdict("H-MINIMUM-3")

# %%
verdict("H-MINIMUM-4")

# %% [markdown]
# @tbl-dynamics-minimum-scales has every claim at every scale, since a larger model may be harder to damage.

# %%
# | label: tbl-dynamics-minimum-scales
# | tbl-cap: "The verdict on each claim at each scale, with its effect, its 90 % interval and the number of seeds."
scales("H-MINIMUM-1")

# %% [markdown]
# ### Method

# %%
# | label: tbl-dynamics-minimum-method
# | tbl-cap: "Conditions and budget of the minimum experiment."
method("minimum")

# %% [markdown]
# This command makes the table:

# %%
command("minimum")

# %% [markdown]
# ### The answer, in seconds and lines
#
# How many seeds would have been enough? For each number of steps and each number of seeds, we take every possible
# choice of that many seeds from those we ran, and count how many of these smaller experiments would have reached the
# verdict. The fewest seeds with which at least four in five do are enough. Each seed costs two runs, one at each rate,
# and the seconds they took, grading included.

# %%
found = evidence("minimum")
CLAIMS = {"lost: forgetting": ("forgetting", 0.1), "gained: accuracy": ("accuracy", 0.05)}
FEWEST_SEEDS = 3


def paired(metric: str, steps: int) -> np.ndarray:
    """The higher rate minus the lower one, for each seed."""
    rows = found.runs[found.runs["steps"] == steps]
    by_rate = rows.pivot(index="seed", columns="learning_rate", values=metric)
    return (by_rate[by_rate.columns.max()] - by_rate[by_rate.columns.min()]).to_numpy()


def share_decided(differences: np.ndarray, margin: float, n_seeds: int) -> float:
    """Share of all experiments with `n_seeds` of these seeds whose test at 5 % detects the margin."""
    chosen = itertools.combinations(differences, n_seeds)
    return float(np.mean([statistics.t_above(some, margin) < 0.05 for some in chosen]))


def fewest_seeds(metric: str, margin: float, steps: int) -> int | None:
    """The fewest seeds that decide in four of five choices, if any number does."""
    differences = paired(metric, steps)
    counts = range(FEWEST_SEEDS, len(differences) + 1)
    return next((n for n in counts if share_decided(differences, margin, n) >= 0.8), None)


def taken(seconds: float) -> str:
    """Seconds for a reader: tenths of a few, no parts of many."""
    return f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}"


answers = []
for steps in sorted(found.runs["steps"].unique()):
    seconds = 2 * found.runs.loc[found.runs["steps"] == steps, "seconds"].median()
    for claim, (metric, margin) in CLAIMS.items():
        n_seeds = fewest_seeds(metric, margin, steps)
        answers.append((claim, steps, n_seeds, seconds * (n_seeds or math.nan)))

# %%
# | label: tbl-dynamics-minimum
# | tbl-cap: "Fewest seeds that show each effect after a number of steps, and the seconds their runs take. A dash: no number of seeds that we ran is enough."
Markdown(
    pipe_table(
        ["what shows", "steps", "seeds", "runs", "seconds"],
        [
            [claim, str(steps), *((str(n), str(2 * n), taken(spent)) if n else ("–", "–", "–"))]
            for claim, steps, n, spent in answers
        ],
        numeric=(1, 2, 3, 4),
    )
)

# %%
module = inspect.getmodule(found.experiment.describe)
lines = [line for line in inspect.getsource(module).splitlines() if line.strip()]
cheapest = min((answer for answer in answers if answer[2]), key=lambda each: each[3], default=None)
Markdown(
    f"**The minimum interesting experiment takes {taken(cheapest[3])} seconds and {len(lines)} lines.** It shows what is "
    f"{cheapest[0].replace(': ', ', as ')}, in {2 * cheapest[2]} runs of {cheapest[1]} steps ({cheapest[2]} seeds at "
    "each of two rates). The lines are those of its script, without blank ones but with the docstring and three budgets; "
    "the seconds are those of the runs in the table, from the start of each run to its last grading, on the machine that "
    "the table names."
    if cheapest
    else "At this scale, no number of seeds up to those we ran shows either effect. The script has "
    f"{len(lines)} lines."
)

# %% [markdown]
# It is not the size that makes it interesting. It has a *control* that differs in one thing, a *claim with a margin*
# that was written down before, *seeds*, and a result that could have come out otherwise.

# %%
Markdown(
    "Here is the result: "
    + says(
        "H-MINIMUM-1",
        supported="ten steps at a good rate are enough to lose a visible part of what the model knew",
        refuted="ten steps at a good rate lose less of what the model knew than we said",
        undecided="the runs do not decide how much ten steps at a good rate lose",
        untested="we have not tested at laptop or gpu scale yet what ten steps lose",
    )
    + f" ({cite('H-MINIMUM-1')}), "
    + says(
        "H-MINIMUM-2",
        supported="and too few to learn anything",
        refuted="and they already learn something",
        undecided="and it is open whether they already learn something",
        untested="nor what they learn",
    )
    + f" ({cite('H-MINIMUM-2')}). "
    + says(
        "H-MINIMUM-4",
        supported="Addition, the nearest neighbour of the new skill, is lost within five.",
        refuted="Addition, the nearest neighbour of the new skill, survives five.",
        undecided="The runs do not decide whether addition, the nearest neighbour of the new skill, survives five.",
        untested="",
    )
    + " @sec-forgetting explains why, and what helps."
)

# %% [markdown]
# *What would change our mind about the size:* a base model that takes longer to damage needs more steps; and on a faster
# machine the same runs take fewer seconds. The number of seeds should carry over best.

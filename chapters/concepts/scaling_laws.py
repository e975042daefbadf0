# %% [markdown]
# # Scaling laws {#sec-scaling-laws}
#
# Train many models of different sizes, plot their losses, and the points follow a line: larger models, trained on more
# data, have a lower loss, and you can predict the next model's loss before you train it. @fig-scaling-public shows
# public models [@gadre2024scaling]; @sec-results-scaling-fit fits the law to all of them.

# %%
# | label: fig-scaling-public
# | fig-cap: "Loss of public language models on one evaluation set, by number of parameters and by training tokens per parameter. Lines: one law, fitted to all models at once."
# | fig-alt: "Falling points on two logarithmic axes; models that saw more tokens for each parameter lie lower. Lines run through them."
# | echo: true
import numpy as np

from llmlab.book import style
from llmlab.market.fits.fitting import optimum
from llmlab.market.fits.public import public_runs

runs = public_runs()
best = optimum(runs, 32)
law = {name: values[0] for name, values in runs.plain(best.theta_P[None]).items()}


def loss(params, tokens):
    return law["E"] + law["A"] / params ** law["alpha"] + law["B"] / tokens ** law["beta"]


params, tokens = runs.sizes["params"], runs.sizes["tokens"]
figure, axes = style.subplots(height=3.2)
for ratio, colour, marker in zip((5, 20, 160), style.CYCLE, style.MARKERS, strict=False):
    near = np.abs(np.log(tokens / params / ratio)) < 0.1
    axes.plot(
        params[near], runs.loss_M[near], marker, color=colour, label=f"{ratio} tokens per parameter"
    )
    line = np.geomspace(params.min(), params.max(), 50)
    axes.plot(line, loss(line, ratio * line), color=colour, linewidth=1)
axes.set_xscale("log")
axes.set(xlabel="parameters", ylabel="loss (nats/token)")
axes.legend()
figure

# %% [markdown]
# ## In one formula
#
# $$ L(N, D) = E + \frac{A}{N^{\alpha}} + \frac{B}{D^{\beta}} $$ {#eq-scaling-law}
#
# for $N$ parameters and $D$ training tokens [@hoffmann2022chinchilla, equation 2]. $E$ is the irreducible loss that no
# model gets below: the entropy of the text itself. $A$, $\alpha$, $B$ and $\beta$ say how much a small model and little
# data add to it, and how fast that shrinks. A law without $E$, a straight line on two logarithmic axes, promises that
# the loss falls to zero. On a market, where $E$ is nearly all of the loss, that would be absurd.
#
# ## How to fit it, and how not to
#
# We predict the logarithm of the loss and minimise the Huber loss of the residuals (quadratic for small ones, linear
# for large ones), *summed* over the runs, from many starting points. On paper, the mean has the same optimum as the
# sum. In practice an optimizer that stops when the value hardly changes stops too early, because the mean is so small.
# @tbl-scaling-mistake does both.

# %%
# | label: tbl-scaling-mistake
# | tbl-cap: "The same runs, law, scipy optimizer (default tolerance) and eight starting points, minimising the sum or the mean of the Huber losses."
# | echo: true
from IPython.display import Markdown
from scipy.optimize import minimize

from llmlab.book.markup import pipe_table
from llmlab.market.fits.fitting import starts
from llmlab.market.fits.law import Objective

rows = []
for name, weight in (("sum", 1.0), ("mean", 1 / len(runs))):
    objective = Objective.of(runs, np.full((1, len(runs)), weight))
    tries = [
        minimize(lambda p, f=objective: [x[0] for x in f(p[None])], s, jac=True, method="L-BFGS-B")
        for s in starts(runs, 8)
    ]
    ends = [runs.plain(one.x[None]) for one in tries]
    alphas = [float(end["alpha"][0]) for end in ends]
    rows.append([name, f"{min(alphas):.2f} to {max(alphas):.2f}"])
rows.append(["ours, run to convergence", f"{law['alpha']:.2f}"])
Markdown(pipe_table(["what is minimised", "α from eight starts"], rows))

# %% [markdown]
# `llmlab fit FILE.csv --params COLUMN --tokens COLUMN --loss COLUMN` does it correctly. It adds intervals from
# resampling the runs, a comparison with simpler laws (including a constant), and warnings where an exponent cannot be
# told from zero.
#
# ## A law to play with
#
# In @fig-scaling-play the runs follow a law with a floor. Drag a run up or down, or select it and move the slider. A
# small change in the largest run moves the exponent a lot, and the floor with it: when the runs end too early, the two
# can hardly be told apart. Below, the widget says what a law without a floor would make of the same runs.

# %%
# | label: fig-scaling-play
# | fig-cap: "Eight synthetic runs and the law through them, fitted again at each change. In print: the initial state."
# | fig-alt: "Falling dots over a logarithmic axis of sizes, with a line through them that levels off."
from llmlab.book.show import playground

made = [
    (10.0**power, 1.7 + 2.3 * 10 ** (-0.35 * (power - 6)))
    for power in (6, 6.5, 7, 7.5, 8, 8.5, 9, 9.5)
]
playground("A scaling law to play with", {"kind": "scaling_law", "runs": made})

# %% [markdown]
# ## When the floor hides the law
#
# @fig-scaling-floor shows why it is hard to find a law on a market. If the floor is high, only a small part of the loss
# can still fall, and noise of a few thousandths hides it.

# %%
# | label: fig-scaling-floor
# | fig-cap: "The same law above three floors, each point with half a percent of random noise. The part that can still fall is drawn to scale."
# | fig-alt: "Three curves over parameters; the lowest falls steeply, the highest looks flat within its noise."
# | echo: true
sizes = np.geomspace(1e3, 1e7, 12)
noise = np.random.default_rng(0).normal(0, 0.005, (3, 12))
figure, axes = style.subplots(height=2.9)
for (floor, gain), off in zip(((0.1, 0.6), (0.4, 0.3), (0.69, 0.01)), noise, strict=True):
    axes.plot(
        sizes, (floor + gain * (sizes / 1e3) ** -0.4) * np.exp(off), "o-", label=f"floor {floor}"
    )
axes.set_xscale("log")
axes.set(xlabel="parameters", ylabel="loss", ylim=(0, 0.8))
axes.legend()
figure

# %% [markdown]
# ## What the book tests
#
# - Do the intervals of such fits contain the truth as often as they claim? @sec-results-scaling-fit
# - Is there a law on a market? @sec-results-market-scaling And on a synthetic one? @sec-results-market-control

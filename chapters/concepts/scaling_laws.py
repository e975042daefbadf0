# %% [markdown]
# # Scaling laws {#sec-scaling-laws}
#
# Train many models of different sizes, plot their losses, and a line appears that one can follow: larger models, trained
# on more, have a lower loss, and the next one's can be told before it is trained. @fig-scaling-public shows some
# public ones [@gadre2024scaling]; the law of all of them is in @sec-results-scaling-fit.

# %%
# | label: fig-scaling-public
# | fig-cap: "Loss of public language models on one evaluation set, by parameters and by the tokens for each of them. Lines: the law that is fitted to all of them at once."
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
        params[near], runs.loss_M[near], marker, color=colour, label=f"{ratio} tokens a parameter"
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
# with $N$ parameters and $D$ tokens [@hoffmann2022chinchilla, equation 2]. $E$ is the loss that no model gets below: the
# entropy of the text itself. A law without it, a straight line on two logarithmic axes, promises that the loss falls to
# nothing. On a market, where $E$ is nearly all of the loss, that would be absurd.
#
# ## How it is fitted, and how not
#
# The logarithm of the loss is predicted, and the Huber loss of the residuals is *summed* over the runs, from many
# starts. The mean instead of the sum is the same optimum on paper. In practice an optimizer that stops when the value
# hardly changes stops at once, since the mean is so small. @tbl-scaling-mistake does both.

# %%
# | label: tbl-scaling-mistake
# | tbl-cap: "The same runs, the same law, the same optimizer of scipy with its default tolerance, from the same eight starts: the sum of the Huber losses, and their mean."
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
rows.append(["ours, to the end", f"{law['alpha']:.2f}"])
Markdown(pipe_table(["what is minimised", "α from eight starts"], rows))

# %% [markdown]
# `llmlab fit FILE.csv --params COLUMN --tokens COLUMN --loss COLUMN` does the right thing, with intervals over resamples
# of the runs, a comparison with simpler laws (a constant among them), and warnings where an exponent cannot be told from
# zero.
#
# ## A law to play with
#
# In @fig-scaling-play the runs follow a law with a floor. Drag one up or down, or choose it and move the slider. A small
# change of the largest run moves the exponent a lot, and the floor with it: the two can hardly be told apart where the
# runs end too early. Below, the widget says what a law without a floor would make of the same runs.

# %%
# | label: fig-scaling-play
# | fig-cap: "Eight made runs and the law through them, fitted anew at each move. In print: as it opens."
# | fig-alt: "Falling dots over a logarithmic axis of sizes, with a line through them that levels off."
from llmlab.book.show import playground

made = [
    (10.0**power, 1.7 + 2.3 * 10 ** (-0.35 * (power - 6)))
    for power in (6, 6.5, 7, 7.5, 8, 8.5, 9, 9.5)
]
playground("A scaling law to play with", {"kind": "scaling_law", "runs": made})

# %% [markdown]
# ## Where the floor hides the law
#
# @fig-scaling-floor draws why a market is a hard place for a law. If the floor is high, all that is left to fall is a
# small part of the loss, and noise of a few thousandths hides it.

# %%
# | label: fig-scaling-floor
# | fig-cap: "The same law above three floors, each point off by half a percent at random. What can still fall is drawn to scale."
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
# - Do intervals of such fits hold the truth as often as they say? @sec-results-scaling-fit
# - Is there a law on a market? @sec-results-market-scaling On one that is made? @sec-results-market-control

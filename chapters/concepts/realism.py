# %% [markdown]
# # How to test whether a simulation is realistic {#sec-realism}
#
# One of the three panels of @fig-realism-series is a real training run: the step times of a Llama with 405 billion
# parameters on 2,048 GPUs. `llmlab simulate` drew another, and a naive program that sleeps for random times drew the
# third. Without the labels, could you tell the upper two apart?

# %%
# | label: fig-realism-series
# | fig-cap: "Step times of three runs, divided by their median. Top: published, MLPerf Training v5.0. Middle: simulated from pieces of it. Bottom: uniform draws within a tenth of the mean."
# | fig-alt: "Three rows of step times. The upper two are calm with few spikes; the lowest fills a broad band evenly."
# | echo: true
import numpy as np

from llmlab.book import style
from llmlab.cluster.dynamics.library import real_runs
from llmlab.cluster.realism.contenders import real, simulated, uniform_sleeps

run = next(run for run in real_runs() if "405b-eos-dfw_n256" in run.name).after_warm_up()
rng = np.random.default_rng(0)
figure, axes = style.subplots(3, 1, height=3.6, sharex=True, sharey=True)
for panel, draw in zip(axes, (real, simulated, uniform_sleeps), strict=True):
    seconds = draw(run, rng).seconds
    panel.plot(seconds / np.median(seconds), linewidth=0.8)
    panel.set_title(draw.__name__.replace("_", " "))
axes[-1].set_xlabel("step")
figure.supylabel("step time (median = 1)", size=10.5)
axes[0].set_ylim(0.85, 1.2)
figure

# %% [markdown]
# The eye is a poor judge, so we replace it with a classifier. If two samples come from the same distribution, no
# classifier does better than a coin on data that it has not seen. This is the classifier two-sample test
# [@lopezpaz2017c2st].
#
# ## Five rules
#
# - **Leave out whole systems.** Windows of one run are alike. A classifier that has seen a run recognises it, and calls
#   it real for the wrong reason.
# - **Show the simulator only the training runs.** Then test it on runs that it never saw as well.
# - **Judge each view separately.** Numbers, gaps between slow steps, and log text fail in different ways. We mask
#   everything that names a run (its level, its model, its dates), and write real and simulated logs with the same
#   precision.
# - **Use controls on both sides.** The judge must not tell real runs from other real runs, and must catch naive ones. A
#   judge that catches nothing proves nothing.
# - **Claim equivalence; do not rely on a failure to reject.** A test with few runs rarely rejects.
#
# ## In one formula
#
# Leave out group $i$ of runs. The classifier sees windows of its real runs and of their rivals, half and half, and is
# right on the share $a_i$ of them. Over $n$ groups, $a_i$ has the mean $\bar a$ and the standard deviation $s$.
# Equivalence within the margin $m$ is supported at the level $\alpha$ if
#
# $$ \left| \bar a - \tfrac12 \right| + t_{1-\alpha,\,n-1} \frac{s}{\sqrt n} < m. $$ {#eq-realism}
#
# This combines two one-sided tests [@schuirmann1987tost]. So a margin needs about
# $n > \left( t_{1-\alpha}\, s / (m - |\bar a - \frac12|) \right)^2$ groups: when $\bar a$ is close to one half, half
# the margin takes four times as many.
#
# ## In code
#
# We leave out one group of runs, train gradient boosting on the others, and test it twice: against uniform sleeps and
# against simulated runs.

# %%
# | echo: true
from IPython.display import Markdown

from llmlab.cluster.realism.judges import boosting
from llmlab.cluster.realism.two_sample import Contest, accuracy, groups
from llmlab.cluster.realism.views import numbers

left_out, *others = groups(10)
learnt = [run for group in others for run in group]
caught = accuracy(Contest(uniform_sleeps, numbers, boosting), left_out, learnt, 1, seed=0)
told = accuracy(Contest(simulated, numbers, boosting), left_out, learnt, 1, seed=0)
Markdown(f"Uniform sleeps: {100 * caught:.0f} % right. Simulated runs: {100 * told:.0f} % right.")

# %% [markdown]
# ## How the simulator draws a run
#
# Step times of real runs have heavy tails, are autocorrelated, drift, and stall on a schedule: at a checkpoint, an
# evaluation, a new shard of data. A distribution with an autocorrelation reproduces only the first two. So the
# simulator cuts a real series into pieces of random length [@politis1994stationary], takes each piece from near its own
# place [@paparoditis2002local], adds a little noise, and keeps the schedule of the stalls. It draws the scatter of the
# loss around its trend in the same way.
#
# This also limits the claim: the simulator makes variations of known runs, not new kinds of runs.
#
# ## What the book tests
#
# - Can classifiers tell such runs from real ones, and do they catch naive ones? @sec-results-cluster-realism

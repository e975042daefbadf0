# %% [markdown]
# # How to test realism {#sec-realism}
#
# One of the three panels of @fig-realism-series is a real training run: the step times of a Llama of 405 billion
# parameters on 2,048 GPUs. One was drawn by `llmlab simulate`, one by a naive show that sleeps for random times. Which
# is which?

# %%
# | label: fig-realism-series
# | fig-cap: "Step times of three runs over their median. Top: published, MLPerf Training v5.0. Middle: drawn from pieces of it. Bottom: uniform draws within a tenth of the mean."
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
    panel.set_ylabel(draw.__name__.replace("_", " "))
axes[-1].set_xlabel("step")
axes[0].set_ylim(0.85, 1.2)
figure

# %% [markdown]
# An eye is a poor judge. It can be replaced by a classifier: if nothing distinguishes two samples, no classifier is
# right more often than a coin. This is the classifier two-sample test [@lopezpaz2017c2st].
#
# ## Five rules
#
# - **Whole systems are left out.** Windows of one run are alike. A classifier that saw a run recognises it, and calls
#   it real for the wrong reason.
# - **The simulator sees training runs only.** It is asked about runs that it never saw, too.
# - **Each view apart.** Numbers, gaps between slow steps, and log text fail in different ways. What names a run (its
#   level, its model, its dates) is masked; so is the precision of the log, in which both are written down.
# - **Controls on both sides.** Real runs against real ones must not be told apart, naive ones must be caught. A judge
#   that catches nothing proves nothing.
# - **Equivalence is claimed, not a failure to reject.** A test with few runs never rejects.
#
# ## In one formula
#
# Let a classifier be right in the share $a_i$ of the windows of the runs of group $i$ and of their rivals, half and
# half, $\bar a$ on average over $n$ groups with the standard deviation $s$. Equivalence within the margin $m$ is
# supported at the level $\alpha$ if
#
# $$ \left| \bar a - \tfrac12 \right| + t_{1-\alpha,\,n-1} \frac{s}{\sqrt n} < m $$ {#eq-realism}
#
# which is two one-sided tests in one [@schuirmann1987tost]. So a margin needs some
# $n > \left( t_{1-\alpha}\, s / (m - |\bar a - \frac12|) \right)^2$ groups: half the margin takes four times as many.
#
# ## In code
#
# One group of runs is left out; gradient boosting learns from the others and is asked twice.

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
# ## How the simulated run is drawn
#
# Step times of real runs have heavy tails, remember their last values, drift, and stall on a schedule: a checkpoint,
# an evaluation, a new shard of data. A distribution with an autocorrelation has the first two alone. So the simulator
# cuts a real series into pieces of random length [@politis1994stationary], each taken from near its own place
# [@paparoditis2002local], adds a little noise, and keeps the schedule of the stalls. The scatter of the loss around its
# trend is drawn in the same way.
#
# That is a limit of the claim, too: what is simulated are variations of known runs. No new kind of run comes of it.
#
# ## What the book tests
#
# - Can classifiers tell such runs from real ones, and do they catch naive ones? @sec-results-cluster-realism

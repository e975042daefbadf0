# %% [markdown]
# # Telling simulated runs from real ones {#sec-results-cluster-realism}
#
# ## The question
#
# `llmlab simulate` plays a training run. Do its step times and losses look like those of real runs to somebody who
# looks closer than a passer-by: to a classifier that learnt from real and simulated ones? @sec-realism says how such a
# test is made.

# %%
import math

from IPython.display import Markdown
from scipy.stats import t as student

from llmlab.book.markup import pipe_table
from llmlab.book.show import command, evidence, figure, method, note, says, table, verdict

note("cluster_realism")

# %%
# | label: fig-results-realism
# | fig-cap: "Share of right calls on runs of systems that were left out and on their rivals; half is chance. By who draws the rivals and what the classifier sees."
# | fig-alt: "Points with error bars for each contender, one line for each view: simulated and real rivals near one half, naive ones near one."
figure("cluster_realism", "accuracy", x="contender", by="seen")

# %% [markdown]
# ## Hypotheses and verdicts
#
# Pilots on the same published runs came first and shaped the simulator. So the first verdicts confirm a measurement
# with a margin and an interval; they are no test on runs that nobody had looked at.
#
# ### Simulated runs

# %%
verdict("H-REALISM-1")

# %%
verdict("H-REALISM-2")

# %%
verdict("H-REALISM-3")

# %%
verdict("H-REALISM-4")

# %%
verdict("H-REALISM-17")

# %% [markdown]
# ### Controls: real runs against real ones

# %%
verdict("H-REALISM-5")

# %%
verdict("H-REALISM-6")

# %%
verdict("H-REALISM-7")

# %%
verdict("H-REALISM-8")

# %% [markdown]
# ### Controls: naive runs

# %%
verdict("H-REALISM-9")

# %%
verdict("H-REALISM-10")

# %%
verdict("H-REALISM-11")

# %%
verdict("H-REALISM-12")

# %%
verdict("H-REALISM-13")

# %%
verdict("H-REALISM-14")

# %%
verdict("H-REALISM-15")

# %%
verdict("H-REALISM-16")

# %% [markdown]
# ## Method
#
# The real runs are those of two rounds of MLPerf Training and of modded-nanogpt's records that are long and steady
# enough: their batch and length stay. The first eighth of a run, in which its loss falls too fast for a trend, is left
# out. A *seed* is a group of systems; their runs are left out together, the classifier learns from all others and from
# series drawn from them. It is then asked about the runs left out, and about new series drawn from those that it
# learnt from. So intervals are over groups, and no rival was fitted to a run left out.
#
# The *simulator* draws from pieces of a real run. The *autoregression* has its distribution and autocorrelation alone.
# *Uniform sleeps* are what a simple show does; *fixed sleeps*, with a loss that falls by a uniform draw at each step,
# are the recipe of genact, the show that people know. *Real runs* sets one half of them against the other. The views
# are *numbers*, statistics of windows; *gaps*, the records between slow ones; and masked log *text*, for gradient
# boosting and for a small GPT.

# %%
# | label: tbl-realism-method
# | tbl-cap: "Conditions and budget of the two-sample tests."
method("cluster_realism")

# %% [markdown]
# This command makes the table:

# %%
command("cluster_realism")

# %% [markdown]
# ## Results

# %%
# | label: tbl-results-realism
# | tbl-cap: "Share of right calls, by contender and view."
table("cluster_realism", "accuracy", by=["contender", "seen"], compare=False)

# %% [markdown]
# How many groups a claim of five points needs follows from how much the groups scatter. The table is computed from the
# runs when this page is made, with @eq-realism at the level of one in twenty, before the correction for several tests.

# %%
# | label: tbl-results-realism-needed
# | tbl-cap: "Groups of runs that would show an accuracy within five points of chance, were mean and scatter as measured."
MARGIN = 0.05


def needed(accuracies):
    """Groups for two one-sided tests at the level 0.05; infinite beyond the margin."""
    room = MARGIN - abs(accuracies.mean() - 0.5)
    if room <= 0:
        return math.inf
    at = student.ppf(0.95, max(len(accuracies) - 1, 1))
    return math.ceil((at * accuracies.std() / room) ** 2)


runs = evidence("cluster_realism").runs
rows = [
    [contender, seen, f"{len(cells)}", "none would do" if math.isinf(n) else f"{max(n, 2)}"]
    for (contender, seen), cells in runs.groupby(["contender", "seen"])["accuracy"]
    if contender in ("simulator", "real runs")
    for n in [needed(cells)]
]
Markdown(pipe_table(["contender", "seen", "groups here", "groups needed"], rows, numeric=[2, 3]))

# %% [markdown]
# ## Learnings

# %%
hidden = says(
    "H-REALISM-1",
    supported="By their numbers, simulated runs pass for real ones, within five points of chance.",
    refuted="By their numbers, simulated runs are told from real ones.",
    undecided="Whether simulated runs pass for real ones by their numbers, so few systems do not say.",
)
rhythm = says(
    "H-REALISM-2",
    supported="So does the rhythm of their slow steps.",
    refuted="The rhythm of their slow steps gives them away.",
    undecided="It is open whether the rhythm of their slow steps gives them away.",
)
naive = says(
    "H-REALISM-9",
    supported="A show that sleeps for uniform times is caught at once.",
    refuted="A show that sleeps for uniform times is not caught as surely as we said.",
    undecided="It is open whether a show that sleeps for uniform times is always caught.",
)
reader = says(
    "H-REALISM-12",
    supported="The small GPT is a judge to reckon with: it catches uniform sleeps from the text alone.",
    refuted="The small GPT is a weak judge: it misses some uniform sleeps, so its other calls prove little.",
    undecided="How good a judge the small GPT is, is open; its other calls prove little.",
)
more = says(
    "H-REALISM-17",
    supported="The right distribution and autocorrelation are not enough: real runs drift and calm down.",
    refuted="Pieces of real runs are no better than their distribution and autocorrelation.",
    undecided="It is open whether pieces of real runs are better than their distribution and autocorrelation.",
)
learnings = dict.fromkeys((hidden, rhythm, naive, reader, more))
Markdown("\n".join(f"- {learning}" for learning in learnings))

# %% [markdown]
# *What would change our mind:* a better judge. Each verdict is about these classifiers, on windows of a few dozen
# records, in a few dozen runs; a judge with more runs to learn from may well find what these did not. And the simulator
# shuffles what it saw: somebody who holds the training runs can look its pieces up.

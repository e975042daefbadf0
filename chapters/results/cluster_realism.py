# %% [markdown]
# # Can a classifier tell simulated runs from real ones? {#sec-results-cluster-realism}

# %%
import math

from IPython.display import Markdown
from scipy.stats import t as student

from llmlab.book.markup import pipe_table
from llmlab.book.show import answer, command, evidence, figure, method, note, says, table, verdict

hidden = says(
    "H-REALISM-1",
    supported="A classifier that sees the numbers of runs tells simulated ones from real ones no better than by chance, within "
    "five points.",
    refuted="A classifier that sees the numbers of runs can tell simulated ones from real ones.",
    undecided="With so few systems it is open whether a classifier that sees the numbers of runs is right about simulated and "
    "real ones only half of the time.",
)
naive = says(
    "H-REALISM-9",
    supported="A simulation that sleeps for uniform times is almost always caught.",
    refuted="A simulation that sleeps for uniform times is caught less often than we said.",
    undecided="It is open whether a simulation that sleeps for uniform times is almost always caught.",
)
answer(hidden, naive)

# %% [markdown]
# ## The question
#
# `llmlab simulate` simulates a training run. Do its step times and losses fool a judge that looks closely: a classifier
# trained on real and simulated runs? @sec-realism explains how to build such a test.

# %%
note("cluster_realism")

# %%
# | label: fig-results-realism
# | fig-cap: "Accuracy of the classifier on runs of held-out systems and on their rivals, by who draws the rivals and what the classifier sees. Chance is one half."
# | fig-alt: "Points with error bars for each contender, one line for each view: simulated and real rivals near one half, naive ones near one."
figure("cluster_realism", "accuracy", x="contender", by="seen")

# %% [markdown]
# ## Hypotheses and verdicts
#
# Pilots on the same published runs came first and shaped the simulator. So the first verdicts confirm a measurement,
# with a margin and an interval; they are not a test on runs that nobody had looked at.
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
# The real runs come from two rounds of MLPerf Training and from modded-nanogpt's records. We use those that are long
# and steady enough, with a constant batch and sequence length. We leave out the first eighth of each run, in which the
# loss falls too fast for a trend. A *seed* is a group of systems. We hold out all its runs; the classifier learns from
# all others and from series drawn from them. We then test it on the held-out runs and on new series drawn from the runs
# it learned from. So intervals are over groups, and no rival was fitted to a held-out run.
#
# The *simulator* draws from pieces of a real run. The *autoregression* has only its distribution and autocorrelation.
# *Uniform sleeps* are what a simple show does. *Fixed sleeps*, with a loss that falls by a uniform draw at each step,
# follow genact, a well-known program that imitates a busy computer. *Real runs* compares one half of them with the
# other. There are three views: *numbers*, statistics of windows; *gaps*, the records between slow steps; and masked log
# *text*. The text is judged by gradient boosting and by a small GPT.

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
# | tbl-cap: "Accuracy of the classifier, by contender and view."
table("cluster_realism", "accuracy", by=["contender", "seen"], compare=False)

# %% [markdown]
# How many groups does a claim of five points need? That follows from how much the groups scatter. The table is computed
# from the runs when this page is built, with @eq-realism at a level of one in twenty, before the correction for several
# tests.

# %%
# | label: tbl-results-realism-needed
# | tbl-cap: "Groups of runs needed to show an accuracy within five points of chance, if mean and scatter are as measured."
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
    [contender, seen, f"{len(cells)}", "no number would do" if math.isinf(n) else f"{max(n, 2)}"]
    for (contender, seen), cells in runs.groupby(["contender", "seen"])["accuracy"]
    if contender in ("simulator", "real runs")
    for n in [needed(cells)]
]
Markdown(pipe_table(["contender", "seen", "groups here", "groups needed"], rows, numeric=[2, 3]))

# %% [markdown]
# ## Learnings

# %%
rhythm = says(
    "H-REALISM-2",
    supported="The rhythm of their slow steps passes, too.",
    refuted="The rhythm of their slow steps gives them away.",
    undecided="It is open whether the rhythm of their slow steps gives them away.",
)
reader = says(
    "H-REALISM-12",
    supported="The small GPT is a good judge: it catches uniform sleeps from the text alone.",
    refuted="The small GPT is a weak judge: it misses some uniform sleeps, so its other calls prove little.",
    undecided="It is open how good a judge the small GPT is, so its other calls prove little.",
)
more = says(
    "H-REALISM-17",
    supported="The right distribution and autocorrelation are not enough: real runs also drift and calm down.",
    refuted="Pieces of real runs are hardly more convincing than their distribution and autocorrelation.",
    undecided="It is open whether pieces of real runs are more convincing than their distribution and autocorrelation.",
)
learnings = dict.fromkeys((hidden, rhythm, naive, reader, more))
Markdown("\n".join(f"- {learning}" for learning in learnings))

# %% [markdown]
# *What would change our mind:* a better judge. Each verdict is about these classifiers, on windows of a few dozen
# records, in a few dozen runs; a judge with more training runs may well find what these did not. And the simulator
# shuffles what it saw: anyone who has the training runs can look up its pieces.

# %% [markdown]
# # Interruptions and checkpoints, tested {#sec-results-cluster-goodput}
#
# ## The question
#
# On many GPUs something breaks all the time. Whoever saves often stands still often; whoever saves rarely loses more
# at each interruption (@sec-cluster). What share of the time is left? Is the rule of thumb for the interval
# [@young1974checkpoint] good enough? And does it matter whether interruptions come in bursts?

# %%
from IPython.display import Markdown

from llmlab.book.show import command, curves, figure, method, note, says, table, value, verdict

note("cluster_goodput")

# %%
# | label: fig-results-goodput
# | fig-cap: "Share of the time that goes into work that stays, by how long training stands still for a checkpoint, saving by Young's interval."
# | fig-alt: "Two falling lines over the seconds of a checkpoint, on a logarithmic axis; the line for bursts lies a little above that for independent interruptions."
figure("cluster_goodput", "goodput", x="save_s", by="arrivals")

# %% [markdown]
# ## Hypotheses and verdicts
#
# Three hypotheses were registered before the runs at laptop scale. The first is nearly arithmetic: Daly's complete
# model [@daly2006checkpoint] gives the expected share in closed form, so its verdict tests our assumptions about
# checkpoint and restart, not chance.

# %%
verdict("H-GOODPUT-1")

# %%
verdict("H-GOODPUT-2")

# %%
verdict("H-GOODPUT-3")

# %% [markdown]
# ## Method
#
# A run is drawn, not trained. Gaps between interruptions come at random, with the mean that follows from the counts
# of [Llama 3]{.setting}'s pre-training [@grattafiori2024llama3, table 5], planned interruptions included. In each gap
# training restarts, works and saves in turns; work after the last checkpoint is lost. Gaps are exponential, or, for
# bursts, follow a Weibull distribution with the same mean and the shape that @schroeder2010failures measured on
# supercomputers. All intervals are judged on the same gaps. The best one is chosen in hindsight from a grid that
# reaches past the optimum on both sides, so it flatters itself a little.
#
# The time of a restart is an assumption; the paper prints neither it nor the time of a checkpoint. In bursts a gap
# may end before the restart does; all of that gap counts as restart.

# %%
# | label: tbl-goodput-method
# | tbl-cap: "Conditions and budget of the experiment on interruptions."
method("cluster_goodput")

# %% [markdown]
# This command makes the table:

# %%
command("cluster_goodput")

# %% [markdown]
# ## Results

# %%
# | label: tbl-results-goodput
# | tbl-cap: "What is kept with Young's interval, with Daly's, and with the best in hindsight."
table(
    "cluster_goodput",
    ["goodput", "goodput_daly", "goodput_best"],
    by=["arrivals", "save_s"],
    compare=False,
)

# %%
cell = {"arrivals": "independent", "save_s": 30}
Markdown(
    f"A drawn run is interrupted {value('cluster_goodput', 'interruptions', **cell)} times. With checkpoints of half "
    f"a minute it keeps {value('cluster_goodput', 'goodput', **cell)} of its time and loses "
    f"{value('cluster_goodput', 'lost', **cell)} as work that has to be done again. The rest goes into checkpoints and "
    "restarts."
)

# %%
# | label: fig-results-goodput-interval
# | fig-cap: "Share of the time kept over the seconds between two checkpoints, for checkpoints of half a minute. The optimum is flat."
# | fig-alt: "Two curves that rise steeply, stay flat around the optimum and fall slowly; the curve for bursts lies above the other."
curves(
    "cluster_goodput", "kept", by="arrivals", x_name="seconds between two checkpoints", save_s=30
)

# %%
# | label: tbl-results-goodput-regret
# | tbl-cap: "What Young's interval loses against the best one, and how far apart the two are."
table(
    "cluster_goodput",
    ["regret", "best_over_young"],
    by=["arrivals", "save_s"],
    compare=False,
)

# %% [markdown]
# ## Learnings

# %%
kept = says(
    "H-GOODPUT-1",
    supported="With our assumptions about checkpoint and restart a run of Llama 3's size keeps what its paper reports.",
    refuted="With our assumptions a run of Llama 3's size keeps less than its paper reports. So its checkpoints were "
    "faster, its restarts shorter, or it counts time otherwise: @fig-results-goodput shows how much the checkpoint "
    "alone can explain.",
    undecided="These runs do not decide whether our assumptions give what the paper reports.",
)
rule = says(
    "H-GOODPUT-2",
    supported="Young's rule is good enough even for slow checkpoints: around the optimum the curve is flat. Make "
    "checkpoints faster before you tune their interval.",
    refuted="Where checkpoints are slow, Young's rule gives away more than we thought: use Daly's, or measure.",
    undecided="These runs do not decide whether Young's rule is good enough for slow checkpoints.",
)
bursts = says(
    "H-GOODPUT-3",
    supported="Bursts call for longer intervals than the rule says.",
    refuted="Bursts hardly move the best interval: the mean time between interruptions is all that the rule needs.",
    undecided="These runs do not decide whether bursts move the best interval as far as we said.",
)
Markdown("\n".join(f"- {learning}" for learning in (kept, rule, bursts)))

# %% [markdown]
# *What would change our mind:* a published time of restart or of a checkpoint would replace our assumption and could
# turn the first verdict. The rate of interruptions is that of one run on one kind of GPU; a fleet with other faults,
# or one in which a slow node is not an interruption but a slow week, needs its own counts.

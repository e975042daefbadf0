# %% [markdown]
# # How often should a large run save? {#sec-results-cluster-goodput}

# %%
from IPython.display import Markdown

from llmlab.book.show import (
    answer,
    command,
    curves,
    figure,
    method,
    note,
    says,
    table,
    value,
    verdict,
)

rule = says(
    "H-GOODPUT-2",
    supported="Young's rule is good enough even for slow checkpoints: around the optimum the curve is flat. Make "
    "checkpoints faster before you tune their interval.",
    refuted="Where checkpoints are slow, Young's rule loses more than we thought: use Daly's, or measure.",
    undecided="It is open whether Young's rule is good enough for slow checkpoints.",
)
kept = says(
    "H-GOODPUT-1",
    supported="With our assumptions about checkpoints and restarts, a run of Llama 3's size keeps what its paper reports.",
    refuted="With our assumptions a run of Llama 3's size keeps less than its paper reports. So its checkpoints were "
    "faster, its restarts shorter, or it counts time differently: @fig-results-goodput shows how much the checkpoint "
    "alone can explain.",
    undecided="It is open whether our assumptions give what the paper reports.",
)
answer(rule, kept)

# %% [markdown]
# ## The question
#
# On many GPUs something breaks all the time. If you save often, training stops often; if you save rarely, each
# interruption costs more work (@sec-cluster). What share of the time is left? Is the rule of thumb for the interval
# [@young1974checkpoint] good enough? And does it matter whether interruptions come in bursts?

# %%
note("cluster_goodput")

# %%
# | label: fig-results-goodput
# | fig-cap: "Goodput, the share of time spent on work that is kept, by the seconds that a checkpoint stops training. Saving follows Young's interval."
# | fig-alt: "Two falling lines over the seconds of a checkpoint, on a logarithmic axis; the line for bursts lies a little above that for independent interruptions."
figure("cluster_goodput", "goodput", x="save_s", by="arrivals")

# %% [markdown]
# ## Hypotheses and verdicts
#
# We registered three hypotheses before the runs at laptop scale. The first is almost arithmetic: Daly's complete model
# [@daly2006checkpoint] gives the expected share in closed form, so its verdict tests our assumptions about checkpoints
# and restarts, not chance.

# %%
verdict("H-GOODPUT-1")

# %%
verdict("H-GOODPUT-2")

# %%
verdict("H-GOODPUT-3")

# %% [markdown]
# ## Method
#
# We draw runs at random; nothing is trained. Gaps between interruptions are random, with the mean that follows from the
# counts in [Llama 3]{.setting}'s pre-training [@grattafiori2024llama3, table 5], planned interruptions included. In
# each gap training restarts, and then works and saves by turns; work after the last checkpoint is lost. Gaps are
# exponential, or, for bursts, follow a Weibull distribution with the same mean and the shape that
# @schroeder2010failures measured on supercomputers. We judge all intervals on the same gaps. The best interval is
# chosen in hindsight from a grid that reaches past the optimum on both sides, so its result is slightly too good.
#
# The restart time is an assumption; the paper gives neither it nor the time of a checkpoint. In bursts a gap may end
# before the restart does; then all of that gap counts as restart.

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
# | tbl-cap: "Goodput with Young's interval, with Daly's, and with the best one in hindsight."
table(
    "cluster_goodput",
    ["goodput", "goodput_daly", "goodput_best"],
    by=["arrivals", "save_s"],
    compare=False,
)

# %%
cell = {"arrivals": "independent", "save_s": 30}
Markdown(
    f"A simulated run is interrupted {value('cluster_goodput', 'interruptions', **cell)} times. With checkpoints of half "
    f"a minute it keeps {value('cluster_goodput', 'goodput', **cell)} of its time and loses "
    f"{value('cluster_goodput', 'lost', **cell)} to work that it has to repeat. The rest goes into checkpoints and "
    "restarts."
)

# %%
# | label: fig-results-goodput-interval
# | fig-cap: "Goodput by the seconds between two checkpoints, for checkpoints of half a minute. The optimum is flat."
# | fig-alt: "Two curves that rise steeply, stay flat around the optimum and fall slowly; the curve for bursts lies above the other."
curves(
    "cluster_goodput", "kept", by="arrivals", x_name="seconds between two checkpoints", save_s=30
)

# %%
# | label: tbl-results-goodput-regret
# | tbl-cap: "Loss of goodput with Young's interval against the best one, and the ratio of the two intervals."
table(
    "cluster_goodput",
    ["regret", "best_over_young"],
    by=["arrivals", "save_s"],
    compare=False,
)

# %% [markdown]
# ## Learnings

# %%
bursts = says(
    "H-GOODPUT-3",
    supported="Bursts call for longer intervals than Young's rule gives.",
    refuted="Bursts move the best interval by less than we said: the mean time between interruptions is enough for the rule.",
    undecided="It is open whether bursts move the best interval as far as we said.",
)
Markdown("\n".join(f"- {learning}" for learning in (kept, rule, bursts)))

# %% [markdown]
# *What would change our mind:* a published time for a restart or a checkpoint would replace our assumption and could
# turn the first verdict. The rate of interruptions comes from one run on one kind of GPU. A fleet with other faults, or
# one in which a slow node means a slow week instead of an interruption, needs its own counts.

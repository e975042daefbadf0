# %% [markdown]
# # What stops a run from scaling to more GPUs? {#sec-results-cluster-scaling}

# %%
from IPython.display import Markdown

from llmlab.book.show import (
    answer,
    command,
    evidence,
    figure,
    method,
    note,
    says,
    table,
    value,
    verdict,
)

bubble = says(
    "H-SCALING-1",
    supported="With a fixed batch the pipeline's bubble takes over: there are too few micro-batches for the stages.",
    refuted="With a fixed batch the pipeline's bubble takes over by less than we said. We forgot that the batch of weak scaling is small, "
    "too, so it has a bubble from the start.",
    undecided="This spread of coefficients leaves open whether the pipeline's bubble takes over by as much as we said.",
)
weak = says(
    "H-SCALING-2",
    supported="With a growing batch, the speed per GPU hardly drops: in this model the backward pass hides the communication of "
    "gradients. The limit is then how large a batch still helps the model learn.",
    refuted="Even with a growing batch, the speed per GPU drops by more than we said.",
    undecided="This spread of coefficients leaves open whether weak scaling is nearly free.",
)
answer(bubble, weak)

# %% [markdown]
# ## The question
#
# A run on twice the GPUs should take half the time. What prevents that: the pipeline's bubble, communication, or the
# wait for the slowest GPU (@sec-cluster)? *Strong scaling* keeps the batch size of a step; *weak scaling* lets it grow
# with the GPUs.

# %%
note("cluster_scaling")

# %%
# | label: fig-results-scaling
# | fig-cap: "Predicted speed per GPU, relative to the smallest run, by number of GPUs."
# | fig-alt: "With a batch that grows the line stays near one; with a fixed batch it falls, faster and faster."
figure("cluster_scaling", "efficiency", x="gpus", by="scaling")

# %% [markdown]
# ## Hypotheses and verdicts
#
# These are claims about a model of a cluster, not about a cluster. Each seed draws the simulator's coefficients around
# the calibrated ones, with a spread that we assumed. So an interval shows the effect of that uncertainty in the
# coefficients, and nothing of what the simulator leaves out.

# %%
verdict("H-SCALING-1")

# %%
verdict("H-SCALING-2")

# %% [markdown]
# ## Method
#
# `llmlab predict` predicts [Llama 3.1 405B]{.setting} on H100 GPUs in the layout of its paper
# [@grattafiori2024llama3, table 4]: eight ranks of tensor parallelism, sixteen pipeline stages, the rest data parallel.
# The paper interleaves its stages but does not say how often; we assume four virtual stages per rank. With a fixed
# batch, more GPUs mean fewer micro-batches per pipeline. With a growing batch their number is constant, and it is
# small: the batch of the weak runs equals that of the strong runs only near the end of the sweep.

# %%
from llmlab.cluster.physics.prediction import predict
from llmlab.experiments.cluster_scaling import layout

needed = predict(layout(gpus=16384, scaling="strong")).memory.total
Markdown(
    f"By the simulator's memory estimate this layout needs {needed / 1e9:.0f} GB on each GPU, more than an H100 has, so "
    "`llmlab predict` would refuse it. The paper made it fit by freeing activations early [@grattafiori2024llama3, "
    "section 3.3.2], which the simulator does not model. Read the times below as those of a layout that fits by such "
    "means."
)

# %%
# | label: tbl-scaling-method
# | tbl-cap: "Conditions and budget of the experiment on scaling."
method("cluster_scaling")

# %% [markdown]
# This command makes the table:

# %%
command("cluster_scaling")

# %% [markdown]
# ## Results

# %%
# | label: fig-results-scaling-parts
# | fig-cap: "Shares of the step: the pipeline's bubble, communication that nothing hides, and the wait for the slowest rank."
# | fig-alt: "Three panels over the number of GPUs. With a fixed batch the bubble grows steeply, communication a little; with a growing batch both stay nearly level. Waiting grows slowly, and alike for both."
figure("cluster_scaling", ["bubble", "communication", "waiting"], x="gpus", by="scaling")

# %%
# | label: tbl-results-scaling
# | tbl-cap: "Predicted seconds per step, utilisation and parts of the step."
table(
    "cluster_scaling",
    ["step_time", "mfu", "bubble", "communication", "waiting"],
    by=["scaling", "gpus"],
    compare=False,
)

# %%
most = {"gpus": 16384, "scaling": "strong"}
Markdown(
    f"On the largest number of GPUs with a fixed batch, {value('cluster_scaling', 'bubble', **most)} of the step is bubble, "
    f"{value('cluster_scaling', 'communication', **most)} exposed communication and "
    f"{value('cluster_scaling', 'waiting', **most)} waiting. The bubble grows most; communication is there from the "
    "start."
)

# %% [markdown]
# The paper ran two of these plans, apart from the virtual stages. It gives their utilisation, and the simulator was not
# fitted to them. We did not register this comparison, so take it as an observation.

# %%
# | label: tbl-results-scaling-published
# | tbl-cap: "Utilisation (MFU) of Llama 3 405B on sequences of 8,192 tokens: published, and predicted for the same GPUs and batch."
from llmlab.book.markup import pipe_table
from llmlab.cluster.facts import RUNS, fact_table

tried = evidence("cluster_scaling").runs["gpus"].unique()
published = fact_table(RUNS).query(
    "source == 'llama3_paper_table4' and seq_len_tokens == 8192 and gpus in @tried"
)
rows = [
    [
        f"{row.gpus:,}",
        f"{100 * row.mfu_fraction:.0f} %",
        value("cluster_scaling", "mfu", gpus=row.gpus, scaling="strong"),
    ]
    for row in published.itertuples()
]
Markdown(pipe_table(["GPUs", "published", "predicted"], rows, numeric=[0, 1, 2]))

# %% [markdown]
# ## Learnings

# %%
Markdown("\n".join(f"- {learning}" for learning in (bubble, weak)))

# %% [markdown]
# *What would change our mind:* measured steps of one model from a few hundred to many thousands of GPUs. The simulator
# gives every group of ranks the full bandwidth of its links; a network with thinner or congested upper levels would
# scale worse than this page says. @sec-results-cluster-prediction tests how well it predicts single runs.

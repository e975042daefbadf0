# %% [markdown]
# # What the optimizer's parts buy {#sec-results-optimizer}
#
# ## The question
#
# The recipe that trains a GPT has parts that everyone copies: a warm-up, a cosine that lowers the learning rate, weight
# decay, a small β₂ and clipping. What does each of them buy? The way to know is to take one away at a time.

# %%
from IPython.display import Markdown

from llmlab.book.show import (
    command,
    curves,
    difference,
    differences,
    evidence,
    method,
    note,
    says,
    table,
    verdict,
)

note("optimizer")

# %%
# | label: fig-results-optimizer
# | fig-cap: "What each change costs in validation loss, beside the whole recipe with the same seed. Right of the line is worse. Dots are single seeds, bars 95 % intervals."
# | fig-alt: "One row for each change of the recipe with the difference of the validation loss from the unchanged recipe, as a dot with an interval around it, and a line at zero."
differences("optimizer", "validation_loss", axis="change", control="none")

# %% [markdown]
# ## Hypotheses and verdicts
#
# Each of the five parts has a hypothesis: two parts were expected not to matter in a run this short, three to buy
# something.

# %%
verdict("H-OPT-1")

# %%
verdict("H-OPT-2")

# %%
verdict("H-OPT-3")

# %%
verdict("H-OPT-4")

# %%
verdict("H-OPT-5")

# %% [markdown]
# ## Method
#
# The whole recipe, called `none` in the tables since nothing is changed, is AdamW [@kingma2014adam;
# @loshchilov2017adamw] with a linear warm-up over the first twentieth of the steps, a cosine [@loshchilov2016sgdr] down
# to a tenth of the peak rate, a weight decay of a tenth, β₂ of [0.95]{.setting}, and gradients clipped to a norm of one.
# Every other condition differs from it in one thing. Runs with one seed start from the same weights and see the same
# text in the same order, so a difference is due to the change.
#
# The learning rate is high for this model, on purpose: warm-up and clipping are said to make high rates safe. It was
# not tuned for each condition, so what is measured is the cost of leaving a part out and changing nothing else.

# %%
# | label: tbl-optimizer-method
# | tbl-cap: "Conditions and budget of the optimizer experiment."
method("optimizer")

# %% [markdown]
# This command makes the table:

# %%
command("optimizer")

# %% [markdown]
# ## Results

# %%
# | label: tbl-results-optimizer
# | tbl-cap: "Every condition at the end of training."
table("optimizer", ["validation_loss", "bits_per_byte"], by="change")

# %% [markdown]
# When in a run does a part act? @fig-results-optimizer-loss shows the loss on the way and @tbl-optimizer-when what
# each change has cost by then.

# %%
# | label: fig-results-optimizer-loss
# | fig-cap: "Validation loss under each change. Means over seeds with 95 % intervals."
# | fig-alt: "One falling curve for each change of the recipe. They part in the first fifth of the run and then run side by side."
curves("optimizer", "validation_loss", by="change", log_y=True)

# %%
# | label: tbl-optimizer-when
# | tbl-cap: "What each change has cost in validation loss (nats/token, beside the whole recipe with the same seed; mean ± half of the 95 % interval) early, in the middle and at the end."
from llmlab.book.markup import pipe_table
from llmlab.book.numbers import bare, plus_minus
from llmlab.method.judging.statistics import mean_interval

found = evidence("optimizer")
runs = found.runs.set_index("run_id")[["change", "seed"]]
points = found.curves.join(runs, on="run_id")
losses = points[points["metric"] == "validation_loss"]
losses = losses.pivot_table(index=["step", "seed"], columns="change", values="value", sort=False)
costs = losses.drop(columns="none").sub(losses["none"], axis=0)
steps = costs.index.unique("step")
shown = [steps[round(share * (len(steps) - 1))] for share in (0.3, 0.6, 1)]


def cost(change: str, step: int) -> str:
    """The mean difference from the whole recipe after so many steps, with its interval."""
    by_seed = costs.loc[step, change].dropna()
    if len(by_seed) < 2:
        return bare(by_seed.mean())
    estimate = mean_interval(by_seed, 0.95)
    return plus_minus(estimate.value, (estimate.high - estimate.low) / 2)


Markdown(
    pipe_table(
        ["change", *(f"step {step}" for step in shown)],
        [[change, *(cost(change, step) for step in shown)] for change in costs.columns],
        numeric=range(1, 1 + len(shown)),
    )
)

# %% [markdown]
# Clipping acts only where the norm of the gradient is above one (@fig-results-optimizer-gradients).

# %%
# | label: fig-results-optimizer-gradients
# | fig-cap: "Norm of the gradient before clipping under each change. Means over seeds; bands are 95 % intervals, wide where single seeds spike."
# | fig-alt: "One curve for each change of the recipe of the norm of the gradient over steps, on a logarithmic axis: above one at first and in a few spikes, about a half afterwards."
curves("optimizer", "gradient_norm", by="change", log_y=True)

# %% [markdown]
# ## Learnings

# %%
changed = {
    change: " The cost at the end is "
    + difference(
        "optimizer",
        "validation_loss",
        treatment={"change": change},
        control={"change": "none"},
    )
    + "."
    for change in costs.columns
}
warmup = says(
    "H-OPT-1",
    supported="Warm-up pays: a run that starts at the full rate does not make up for it.",
    refuted="Warm-up buys next to nothing here: without it the run ends no higher than we called negligible.",
    undecided="These runs do not decide whether warm-up buys as much as we said.",
) + changed.get("no warm-up", "")
cosine = says(
    "H-OPT-2",
    supported="Lowering the rate pays: a run that stays at the peak rate ends markedly higher.",
    refuted="Lowering the rate does not buy what we said: in a run that is stopped long before the loss is flat, steps "
    "at a low rate are steps not taken.",
    undecided="These runs do not decide whether lowering the rate buys as much as we said.",
) + changed.get("no rate decay", "").replace("cost at", "cost of the constant rate at")
decay = says(
    "H-OPT-3",
    supported="Weight decay does not matter in a run this short: leave it in, and do not expect anything from it.",
    refuted="Weight decay matters even in a run this short.",
    undecided="These runs do not decide whether weight decay matters in a run this short: seeds differ too much.",
) + changed.get("no weight decay", "")
beta = says(
    "H-OPT-4",
    supported="A second moment with a long memory costs: the larger β₂ ends higher.",
    refuted="The larger β₂ is no worse than we called negligible.",
    undecided="Whether the larger β₂ costs as much as we said is not certain enough, once five tests are allowed for.",
) + changed.get("beta2 0.999", "")
clipping = says(
    "H-OPT-5",
    supported="Clipping does not matter when nothing spikes: it is an insurance, and these runs had no accident.",
    refuted="Clipping matters even though nothing diverged.",
    undecided="Whether clipping matters, these runs do not decide. We thought it would not, and they give no reason to "
    "think so still: seeds differ, and most of them end far higher without it.",
) + changed.get("no clipping", "")
Markdown("\n".join(f"- {learning}" for learning in (warmup, cosine, decay, beta, clipping)))

# %% [markdown]
# Some of what the figures show was not registered; take it as observations.

# %%
norms = points[(points["metric"] == "gradient_norm") & (points["change"] == "none")]
clipped = norms[norms["value"] > 1]
early = shown[0]
Markdown(
    "- **The beginning decides.** What is lost without warm-up or without clipping is lost by step "
    f"{early} (@tbl-optimizer-when), while the loss still stands on its first plateau, and the rest of the run neither "
    "adds much to it nor makes up for it. The constant rate parts from the cosine only later.\n"
    "- **Clipping works in a few steps.** Under the whole recipe the gradient was longer than one at "
    f"{len(clipped)} of the {len(norms)} steps that were noted, the last of them step {clipped['step'].max()}. A guard "
    "that hardly ever acts can still decide the run, if it acts where the run is decided."
)

# %% [markdown]
# *What would change our mind:* one peak rate was tried, a high one. At a lower rate warm-up and clipping should have
# less to guard against, and these costs should shrink; in a run ten times as long the cosine should pay, and with it
# what we registered. A sweep of rates under each change, as @sec-results-lora-rank does it for ranks, is the
# experiment to add before one calls any of these parts useless or indispensable.

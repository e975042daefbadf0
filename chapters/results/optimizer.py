# %% [markdown]
# # What does each part of the optimizer buy? {#sec-results-optimizer}

# %%
from IPython.display import Markdown

from llmlab.book.show import (
    answer,
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

cosine = says(
    "H-OPT-2",
    supported="Decaying the rate pays: a run that stays at the peak rate ends markedly higher.",
    refuted="Decaying the rate buys less than we said. A likely reason: in a run that stops long before the loss is flat, steps "
    "at a low rate are wasted.",
    undecided="It is open whether decaying the rate buys as much as we said.",
)
changes = [change for change in evidence("optimizer").runs["change"].unique() if change != "none"]
final_costs = {
    change: difference(
        "optimizer",
        "validation_loss",
        treatment={"change": change},
        control={"change": "none"},
    )
    for change in changes
}
listed = ", ".join(f"{cost} ({change})" for change, cost in final_costs.items())
answer(
    f"Take away one part at a time, and the validation loss at the end changes by {listed}.", cosine
)

# %% [markdown]
# ## The question
#
# The recipe that trains a GPT has parts that everyone copies: warm-up, cosine decay of the learning rate, weight decay,
# a small β₂ and clipping. What does each of them buy? To find out, we take away one at a time.

# %%
note("optimizer")

# %%
# | label: fig-results-optimizer
# | fig-cap: "Cost of each change in validation loss, compared with the whole recipe at the same seed. Right of the line is worse. Dots are single seeds, bars 95 % confidence intervals."
# | fig-alt: "One row for each change of the recipe with the difference of the validation loss from the unchanged recipe, as a dot with an interval around it, and a line at zero."
differences("optimizer", "validation_loss", axis="change", control="none")

# %% [markdown]
# ## Hypotheses and verdicts
#
# Each of the five parts has a hypothesis. We expected two parts not to matter in a run this short, and three to help.

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
# The tables call the whole recipe `none`, because nothing is changed. It is AdamW
# [@kingma2014adam; @loshchilov2017adamw] with a linear warm-up over the first twentieth of the steps, a cosine decay
# [@loshchilov2016sgdr] to a tenth of the peak rate, a weight decay of a tenth, β₂ of [0.95]{.setting}, and gradients
# clipped to a norm of one. Every other condition differs from it in one thing. Runs with the same seed start from the
# same weights and see the same text in the same order, so a difference is due to the change.
#
# The learning rate is high for this model on purpose: warm-up and clipping are said to make high rates safe. We did not
# tune it for each condition, so we measure the cost of leaving a part out and changing nothing else.

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
# When during a run does a part act? @fig-results-optimizer-loss shows the loss during training, and @tbl-optimizer-when
# what each change has cost at three points of the run.

# %%
# | label: fig-results-optimizer-loss
# | fig-cap: "Validation loss under each change. Means over seeds with 95 % confidence intervals."
# | fig-alt: "One falling curve for each change of the recipe. They lie close together."
curves("optimizer", "validation_loss", by="change", log_y=True)

# %%
# | label: tbl-optimizer-when
# | tbl-cap: "Cost of each change in validation loss (nats/token, compared with the whole recipe at the same seed; mean ± half of the 95 % confidence interval), early, in the middle and at the end."
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
# Clipping acts only where the gradient norm is above one (@fig-results-optimizer-gradients).

# %%
# | label: fig-results-optimizer-gradients
# | fig-cap: "Gradient norm before clipping under each change. Means over seeds; bands are 95 % confidence intervals, wide where single seeds spike."
# | fig-alt: "One curve for each change of the recipe of the norm of the gradient over steps, on a logarithmic axis: above one at first and in a few spikes, about a half afterwards."
curves("optimizer", "gradient_norm", by="change", log_y=True)

# %% [markdown]
# ## Learnings

# %%
warmup = says(
    "H-OPT-1",
    supported="Warm-up pays: a run that starts at the full rate does not make up for it.",
    refuted="Warm-up buys little here: without it the loss ends higher by less than the margin we set.",
    undecided="It is open whether warm-up buys as much as we said.",
)
decay = says(
    "H-OPT-3",
    supported="Weight decay does not matter in a run this short: leave it in, and do not expect anything from it.",
    refuted="Weight decay matters even in a run this short.",
    undecided="It is open whether weight decay matters in a run this short: seeds differ too much.",
)
beta = says(
    "H-OPT-4",
    supported="A long memory for squared gradients costs: with the larger β₂ the loss ends higher.",
    refuted="The larger β₂ costs less than the margin we set.",
    undecided="After correction for five tests, it is open whether the larger β₂ costs as much as we said.",
)
clipping = says(
    "H-OPT-5",
    supported="Clipping does not matter when nothing spikes: it is insurance, and these runs had no accident.",
    refuted="Clipping matters even though nothing diverged.",
    undecided="It is open whether clipping matters. We thought that it would not, but the seeds differ widely, "
    "so nothing here supports that.",
)
Markdown("\n".join(f"- {learning}" for learning in (warmup, cosine, decay, beta, clipping)))

# %% [markdown]
# We did not register some of what the figures show; take it as observations.

# %%
norms = points[(points["metric"] == "gradient_norm") & (points["change"] == "none")]
clipped = norms[norms["value"] > 1]
mean_costs = costs.groupby("step").mean().loc[shown]
courses = "; ".join(
    f"{change}: {', '.join(map(bare, mean_costs[change]))}"
    for change in ("no warm-up", "no clipping", "no rate decay")
    if change in mean_costs
)
Markdown(
    "- **A cost is not paid evenly.** These are the mean costs at steps "
    f"{', '.join(map(str, shown))}: {courses}. What acts at the start of a run shows early, and a later part of the run may "
    "win some of it back; a constant rate can part from the cosine only once the cosine has fallen. The intervals in "
    "@tbl-optimizer-when show how uncertain all of this is.\n"
    "- **Clipping acts in a few steps.** Under the whole recipe the gradient norm was above one at "
    f"{len(clipped)} of the {len(norms)} recorded steps, the last of them step {clipped['step'].max()}. A guard "
    "that hardly ever acts can still decide a run, if it acts when the run is decided."
)

# %% [markdown]
# *What would change our mind:* we tried one peak rate, a high one. At a lower rate warm-up and clipping should have
# less to guard against, and these costs should shrink; in a run ten times as long the cosine should pay, as we
# registered. Before you call any of these parts useless or indispensable, sweep the rate under each change, as
# @sec-results-lora-rank does for ranks.

# %% [markdown]
# # Do larger models predict a market better? {#sec-results-market-scaling}

# %%
from IPython.display import Markdown

from llmlab.book.show import answer, command, figure, method, note, says, table, verdict

learnings = [
    says(
        "H-FLAT-1",
        supported="A hundred times the parameters change nothing that matters over a week.",
        refuted="A hundred times the parameters change the loss over a week.",
        undecided="Ten periods do not decide whether a hundred times the parameters change the loss over a week by half a hundredth of a nat.",
    ),
    says(
        "H-FLAT-2",
        supported="Over a day they change nothing that matters, either.",
        refuted="They change it over a day.",
        undecided="Over a day it is open, too.",
    ),
]
answer(*learnings)

# %% [markdown]
# ## The question
#
# Language models follow a law: each tenfold increase in parameters lowers their loss by a steady share
# (@sec-scaling-laws). Does the loss on a market fall, too?

# %%
note("market_scaling")

# %%
# | label: fig-results-market-scaling
# | fig-cap: "Log loss on the test days, by the parameters of the transformer and the horizon. Target: a rise of more than 1 %."
# | fig-alt: "Log loss over the parameters on a logarithmic axis, a line for each horizon, nearly flat with wide intervals."
figure("market_scaling", "log_loss", x="parameters", by="horizon")

# %% [markdown]
# ## Hypotheses and verdicts
#
# We registered these hypotheses before the runs at laptop scale.

# %%
verdict("H-FLAT-1")

# %%
verdict("H-FLAT-2")

# %% [markdown]
# ## Method
#
# The parameters of each model meet their budget within a thousandth. The learning rate is scaled with one over the
# width, so that no size is favoured; the validation loss stops each training run. All sizes see the same days.
#
# **Intervals on this page are over test periods of the [S&P 500]{.setting} that have no day in common**, one for each
# seed. @sec-results-market-predictability explains how the days are split and what a gain is;
# @sec-results-market-control tests whether the pipeline would see a signal if there were one.

# %%
# | label: tbl-market-scaling-method
# | tbl-cap: "Conditions and budget of the experiment on parameters."
method("market_scaling")

# %%
command("market_scaling")

# %% [markdown]
# ## Results

# %%
# | label: tbl-results-market-scaling
# | tbl-cap: "Log loss, gain and best epoch by horizon and parameters."
table(
    "market_scaling",
    ["log_loss", "gain", "best_epoch"],
    by=["horizon", "parameters"],
    compare=False,
)

# %% [markdown]
# ### Is there a law?
#
# We apply the fitter of @sec-scaling-laws to these runs: does it prefer a law to a constant?

# %%
# | label: tbl-results-market-law
# | tbl-cap: "Forms of a law for the runs of each horizon, compared by BIC (Bayesian information criterion). The lowest is the best; a difference below 2 decides nothing."
from llmlab.book.markup import pipe_table
from llmlab.book.show import evidence
from llmlab.market.fits.fitting import rivals
from llmlab.market.fits.law import Runs
from llmlab.method.levels import scientific, signed

runs = evidence("market_scaling").runs
rows = []
for horizon, part in runs.groupby("horizon"):
    sizes, loss = part["n_parameters"].to_numpy(float), part["log_loss"].to_numpy(float)
    found = rivals(Runs({"params": sizes}, loss)) if len(set(sizes)) > 2 else ()
    rows += [
        [
            str(horizon),
            "flat" if one.name == "flat" else "falls with parameters",
            signed(f"{one.bic:.1f}"),
        ]
        for one in found
    ]
Markdown(
    pipe_table(["horizon (days)", "form", "BIC"], rows, numeric=[2])
    if rows
    else "*These runs have too few sizes for a law.*"
)

# %% [markdown]
# ### The plan of [384]{.setting} runs
#
# The same file declares the full plan, for a GPU: four budgets up to two billion parameters, four horizons, four
# thresholds, three tiers of features, two periods. It resumes after a kill, and each run is a row. What would it cost?
# Training takes about six floating-point operations per parameter and token, forward and backward together.

# %%
# | label: tbl-results-market-plan
# | tbl-cap: "Estimated cost of the plan by budget, if the GPU reaches 100 TFLOP/s in 32-bit products and each run takes ten epochs of 4,000 samples with four tokens each. The time to build a model and move it to the GPU is not included."
# | echo: true
from llmlab.experiments.market_scaling import EXPERIMENT

plan = EXPERIMENT.budgets["gpu"]
cells = {axis: len(levels) for axis, levels in plan.conditions.items()}
runs_each = plan.seeds * cells["horizon"] * cells["threshold"] * cells["tier"]
costs = {f"{n:,}": 6 * n * 4000 * 4 * 10 * runs_each for n in plan.conditions["parameters"]}
rows = [
    [budget, f"{runs_each}", scientific(operations), f"{operations / 1e14 / 3600:.2g}"]
    for budget, operations in costs.items()
]
total = sum(costs.values())
n_runs = f"{len(costs) * runs_each}"
rows.append(["all", n_runs, scientific(total), f"{total / 1e14 / 3600:.2g}"])
Markdown(pipe_table(["parameters", "runs", "operations", "GPU hours"], rows, numeric=[0, 1, 2, 3]))

# %% [markdown]
# ## Learnings

# %%
Markdown("\n".join(f"- {learning}" for learning in learnings))

# %% [markdown]
# *What would change our mind:* much more data. A law in the parameters shows where data do not run out; some
# [4,000]{.setting} overlapping samples run out at once. A flat curve here says little about models trained on every
# asset and every minute.

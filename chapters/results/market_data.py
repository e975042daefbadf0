# %% [markdown]
# # Do other assets help to predict one index? {#sec-results-market-data}

# %%
from IPython.display import Markdown

from llmlab.book.show import answer, command, figure, method, note, says, table, verdict

learnings = [
    says(
        "H-ASSETS-1",
        supported="Other assets help: they share something that the model can use.",
        refuted="Other assets do harm: a stock is not an index.",
        undecided="Ten periods do not decide whether other assets help.",
    ),
    says(
        "H-ASSETS-2",
        supported="With all assets the model beats the base rate.",
        refuted="Even with all assets the model is worse than the base rate.",
        undecided="Nor do they decide whether the model beats the base rate with all assets.",
    ),
]
answer(*learnings)

# %% [markdown]
# ## The question
#
# One index has some [5,000]{.setting} days, and that is not much. Does a model of the [S&P 500]{.setting} gain by
# learning from the Nasdaq and from single stocks, too?

# %%
note("market_data")

# %%
# | label: fig-results-market-data
# | fig-cap: "Gain over the base rate on the S&P 500, by the assets in the training data. Target: a rise of more than 1 % in 5 days."
# | fig-alt: "Two mean gains with intervals: training on the index alone, and on all assets."
figure("market_data", "gain", x="assets")

# %% [markdown]
# ## Hypotheses and verdicts
#
# We registered these hypotheses before the runs at laptop scale.

# %%
verdict("H-ASSETS-1")

# %%
verdict("H-ASSETS-2")

# %% [markdown]
# ## Method
#
# We use all assets with complete bars that Python packages include: two indices and five stocks. A test day of the
# index is a test day for all assets: they fall together, so a stock's training sample on a test day would give the
# answer away. We leave out days outside the span of the index. The gain is over the base rate of the model's own
# training samples, which differs between the two conditions.
#
# **Intervals on this page are over test periods of the [S&P 500]{.setting} that have no day in common**, one for each
# seed. @sec-results-market-predictability explains how the days are split and what a gain is;
# @sec-results-market-control tests whether the pipeline would see a signal if there were one.

# %%
# | label: tbl-market-data-method
# | tbl-cap: "Conditions and budget of the experiment on assets."
method("market_data")

# %%
command("market_data")

# %% [markdown]
# ## Results

# %%
# | label: tbl-results-market-data
# | tbl-cap: "Samples, gain, log loss and best epoch, by the assets in the training data."
table(
    "market_data", ["train_samples", "gain", "log_loss", "best_epoch"], by="assets", compare=False
)

# %% [markdown]
# ## Learnings

# %%
Markdown("\n".join(f"- {learning}" for learning in learnings))

# %% [markdown]
# *What would change our mind:* assets from other years, which would be new periods. The assets here share their crises
# with the index, so four times the samples are not four times the evidence.

# %% [markdown]
# # One index or every asset {#sec-results-market-data}
#
# ## The question
#
# One index has some [5,000]{.setting} days, and that is little. Does a model of the [S&P 500]{.setting} gain by learning from the Nasdaq and
# from single stocks, too?

# %%
from IPython.display import Markdown

from llmlab.book.show import command, figure, method, note, says, table, verdict

note("market_data")

# %%
# | label: fig-results-market-data
# | fig-cap: "Gain over the base rate on the S&P 500, by what the model learnt from, asked for a rise of more than 1 % in 5 days."
# | fig-alt: "Two mean gains with intervals: learnt from the index alone, and from all assets."
figure("market_data", "gain", x="assets")

# %% [markdown]
# ## Hypotheses and verdicts
#
# They were registered before the runs at laptop scale.

# %%
verdict("H-ASSETS-1")

# %%
verdict("H-ASSETS-2")

# %% [markdown]
# ## Method
#
# All assets with whole bars are used: two indices and five stocks, as packages carry them. A test day of the index is
# a test day of all: assets fall together, so a stock's training sample on a test day would give the answer away. Days
# outside the span of the index are left out. The gain is over the base rate of the model's own training samples,
# which differs between the two.
#
# **An interval on this page is over test periods of the [S&P 500]{.setting} that have no day in common**, one for each seed. How
# the days are split and what a gain is, @sec-results-market-predictability says. Whether the pipeline would see a
# signal if there was one, @sec-results-market-control.

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
# | tbl-cap: "Samples, gain, log loss and best epoch by what the model learnt from."
table(
    "market_data", ["train_samples", "gain", "log_loss", "best_epoch"], by="assets", compare=False
)

# %% [markdown]
# ## Learnings

# %%
learnings = [
    says(
        "H-ASSETS-1",
        supported="Other assets help: there is something that all of them share.",
        refuted="Other assets do harm: a stock is no index.",
        undecided="Whether other assets help, ten periods do not say.",
    ),
    says(
        "H-ASSETS-2",
        supported="With all assets the model beats the base rate.",
        refuted="Even with all assets the model is worse than the base rate.",
        undecided="Whether the model beats the base rate with all assets, they do not say either.",
    ),
]
Markdown("\n".join(f"- {learning}" for learning in learnings))

# %% [markdown]
# *What would change our mind:* assets of other years, which would be new periods. Those here share their crises with
# the index, so four times the samples are not four times the evidence.

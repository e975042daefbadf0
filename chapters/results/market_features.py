# %% [markdown]
# # Twenty indicators or two hundred {#sec-results-market-features}
#
# ## The question
#
# Charting programs offer hundreds of indicators, all computed from the same five numbers a day. Does a transformer do
# better with more of them?

# %%
from IPython.display import Markdown

from llmlab.book.show import command, figure, method, note, says, table, verdict

note("market_features")

# %%
# | label: fig-results-market-features
# | fig-cap: "Gain over the base rate with 20, some 100 and some 250 features, asked for a rise of more than 1 % in 5 days."
# | fig-alt: "Mean gains with wide intervals for three tiers of features."
figure("market_features", "gain", x="tier")

# %% [markdown]
# ## Hypotheses and verdicts
#
# They were registered before the runs at laptop scale.

# %%
verdict("H-TIER-1")

# %%
verdict("H-TIER-2")

# %% [markdown]
# ## Method
#
# The budget of parameters is the same for all tiers, so a wider input leaves less for the layers. All tiers are
# judged, and trained, on the same days: every sample waits until the longest window of the largest tier is full. The
# appendix lists every feature (@sec-market-dictionary).
#
# **An interval on this page is over test periods of the [S&P 500]{.setting} that have no day in common**, one for each seed. How
# the days are split and what a gain is, @sec-results-market-predictability says. Whether the pipeline would see a
# signal if there was one, @sec-results-market-control.

# %%
# | label: tbl-market-features-method
# | tbl-cap: "Conditions and budget of the experiment on features."
method("market_features")

# %%
command("market_features")

# %% [markdown]
# ## Results

# %%
# | label: tbl-results-market-features
# | tbl-cap: "Gain, Brier skill and the best epoch for each tier."
table("market_features", ["gain", "brier_skill", "best_epoch"], by="tier", compare=False)

# %% [markdown]
# ## Learnings

# %%
learnings = [
    says(
        "H-TIER-1",
        supported="More than two hundred indicators do harm: they repeat each other, and what is new is mostly noise.",
        refuted="More than two hundred indicators help, against what we had expected.",
        undecided="Whether more than two hundred indicators do harm, ten periods do not say.",
    ),
    says(
        "H-TIER-2",
        supported="A hundred do harm already.",
        refuted="A hundred help.",
        undecided="Nor do they say it of a hundred.",
    ),
]
Markdown("\n".join(f"- {learning}" for learning in learnings))

# %% [markdown]
# *What would change our mind:* features that are not made of the same five numbers, such as news, orders, or other
# markets. A model that selects features before it learns may also do better than one that is handed all of them.

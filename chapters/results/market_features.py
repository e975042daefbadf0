# %% [markdown]
# # Do more indicators help? {#sec-results-market-features}

# %%
from IPython.display import Markdown

from llmlab.book.show import answer, command, figure, method, note, says, table, verdict

learnings = [
    says(
        "H-TIER-1",
        supported="More than two hundred indicators do harm. A likely reason: they repeat each other, and what is new is mostly noise.",
        refuted="More than two hundred indicators help, contrary to what we had expected.",
        undecided="Ten periods do not decide whether more than two hundred indicators do harm.",
    ),
    says(
        "H-TIER-2",
        supported="A hundred do harm already.",
        refuted="A hundred help.",
        undecided="Nor do they decide it for a hundred.",
    ),
]
answer(*learnings)

# %% [markdown]
# ## The question
#
# Charting programs offer hundreds of indicators, all computed from the same five numbers a day. Does a transformer
# predict better with more of them?

# %%
note("market_features")

# %%
# | label: fig-results-market-features
# | fig-cap: "Gain over the base rate with 20, some 100 and some 250 features. Target: a rise of more than 1 % in 5 days."
# | fig-alt: "Mean gains with wide intervals for three tiers of features."
figure("market_features", "gain", x="tier")

# %% [markdown]
# ## Hypotheses and verdicts
#
# We registered these hypotheses before the runs at laptop scale.

# %%
verdict("H-TIER-1")

# %%
verdict("H-TIER-2")

# %% [markdown]
# ## Method
#
# All tiers have the same parameter budget, so a wider input leaves less for the layers. All tiers train and test on the
# same days: every sample waits until the longest window of the largest tier is full. The appendix lists every feature
# (@sec-market-dictionary).
#
# **Intervals on this page are over test periods of the [S&P 500]{.setting} that have no day in common**, one for each
# seed. @sec-results-market-predictability explains how the days are split and what a gain is;
# @sec-results-market-control tests whether the pipeline would see a signal if there were one.

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
Markdown("\n".join(f"- {learning}" for learning in learnings))

# %% [markdown]
# *What would change our mind:* features from other sources than these five numbers, such as news, orders, or other
# markets. A model that selects features before it learns may also do better than one that gets all of them.

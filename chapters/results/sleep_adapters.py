# %% [markdown]
# # Few adapters, many, or chance {#sec-results-sleep-adapters}

# %%
from IPython.display import Markdown

from llmlab.book.show import answer, badge, command, figure, method, note, says, table, verdict

many = says(
    "H-BASIS-1",
    supported="Fifty-one adapters make a better basis than six.",
    refuted="Fifty-one adapters make no better basis than six, by our margin.",
    undecided="It is open whether fifty-one adapters make a better basis than six.",
)
learned = says(
    "H-BASIS-2",
    supported="A basis of other families is worth more than random directions.",
    refuted="A basis of other families is worth no more than random directions, by our margin.",
    undecided="It is open whether a basis of other families beats random directions.",
)
answer(many, learned)

# %% [markdown]
# ## The question
#
# If all tasks live in one subspace, a basis made of more adapters should serve an unseen task better. The predecessor of
# this lab went from six adapters to fifty-one in that hope. Does it help, and does it beat random directions?

# %%
note("sleep_adapters")

# %%
# | label: fig-sleep-adapters
# | fig-cap: "Gain on new families, learned with coefficients alone, by the basis."
# | fig-alt: "Five points with intervals: 6, 12, 25, 51 adapters, random directions."
figure("sleep_adapters", "gain", x="basis")

# %% [markdown]
# ## Hypotheses and verdicts

# %%
verdict("H-BASIS-1")

# %%
verdict("H-BASIS-2")

# %%
verdict("H-BASIS-3")

# %% [markdown]
# ## Method
#
# The basis is made of small adapters of the nine families that the base knows (@sec-results-sleep-library). Each seed
# draws their order, so that the first six are a fair sample of the fifty-one. All bases have the same number of
# directions. Three families that the base was never taught are then learned with coefficients alone. *Captured* is the
# share of the squared ΔW of free adapters for these families that lies in the basis (@sec-subspaces).

# %%
# | label: tbl-sleep-adapters-method
# | tbl-cap: "Conditions and budget."
method("sleep_adapters")

# %% [markdown]
# This command makes the table:

# %%
command("sleep_adapters")

# %% [markdown]
# ## Results

# %%
# | label: tbl-sleep-adapters
# | tbl-cap: "New families in bases of other families' adapters."
table("sleep_adapters", ["pass_rate", "gain", "captured"], by="basis")

# %% [markdown]
# ## Learnings

# %%
captured = says(
    "H-BASIS-3",
    supported="Such a basis holds more of what free adapters do than random directions hold.",
    refuted="Such a basis holds no more of what free adapters do than random directions hold, by our margin.",
    undecided="It is open whether such a basis holds more of what free adapters do than random directions hold.",
)
Markdown(
    f"- {many} (H-BASIS-1 {badge('H-BASIS-1')})\n"
    f"- {learned} (H-BASIS-2 {badge('H-BASIS-2')})\n"
    f"- {captured} (H-BASIS-3 {badge('H-BASIS-3')})\n"
)

# %% [markdown]
# *What this holds for:* one small coder (@sec-results-sleep-base), three families that are new to it, and bases of one size
# made of small adapters of the other nine.
#
# *What would change our mind:* adapters of whole tasks instead of pieces trained for a few steps, or a base trained on
# more than a dozen families.

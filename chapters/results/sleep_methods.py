# %% [markdown]
# # Nights compared {#sec-results-sleep-methods}
#
# ## The question
#
# A coder fails on some programs by day. Does training on what it met make it better, or does it forget as much as it
# learns? And if each family of bugs has its own adapter, what is left of them when they are merged?

# %%
from IPython.display import Markdown

from llmlab.book.show import badge, command, figure, method, note, table, verdict

note("sleep_methods")

# %%
# | label: fig-sleep-methods
# | fig-cap: "Pass rate after the night minus before, on koans of unseen templates, by method."
# | fig-alt: "One point with its interval for each method of the night."
figure("sleep_methods", "gain", x="method")

# %% [markdown]
# ## Hypotheses and verdicts

# %%
verdict("H-SLEEP-1")

# %%
verdict("H-SLEEP-2")

# %%
verdict("H-SLEEP-3")

# %%
verdict("H-SLEEP-4")

# %%
verdict("H-SLEEP-5")

# %%
verdict("H-SLEEP-6")

# %% [markdown]
# ## Method
#
# The coder of @sec-results-sleep-base tries the koans of a day; each becomes an episode. The night trains LoRA adapters on
# the edits alone, for the same number of steps in every method. *Naive* learns the reference of every episode, *targeted*
# those of failed episodes. *Replay* adds a fifth of passed episodes with the coder's own edits; *self* has only these. The
# others train an adapter for each family and merge: the mean of ΔW (*mean*), the product of mean factors, from separate
# starts or from one, TIES, DARE, and a shared basis [@share2026] whose coefficients are averaged or trained. The exam is
# the same for all, so gains and regressions are counted koan by koan.

# %%
# | label: tbl-sleep-methods-method
# | tbl-cap: "Conditions and budget."
method("sleep_methods")

# %% [markdown]
# The table is made by

# %%
command("sleep_methods")

# %% [markdown]
# ## Results

# %%
# | label: tbl-sleep-methods
# | tbl-cap: "Each method of the night against the coder before it."
table(
    "sleep_methods",
    ["pass_rate", "gain", "gains", "regressions", "taught_gain", "new_gain"],
    by="method",
)

# %% [markdown]
# ## Learnings

# %%
Markdown(
    "Each sentence is a hypothesis, and the sign behind it is its verdict:\n\n"
    f"- a night of naive LoRA improves the coder (H-SLEEP-1): {badge('H-SLEEP-1')}.\n"
    f"- failures alone cost more regressions than replay (H-SLEEP-2): {badge('H-SLEEP-2')}.\n"
    f"- averaged factors return to the baseline (H-SLEEP-3): {badge('H-SLEEP-3')}.\n"
    f"- averaging what adapters do keeps more (H-SLEEP-4): {badge('H-SLEEP-4')}.\n"
    f"- averaged coefficients are averaged factors (H-SLEEP-5): {badge('H-SLEEP-5')}.\n"
    f"- own repairs teach little that is new (H-SLEEP-6): {badge('H-SLEEP-6')}.\n"
)

# %% [markdown]
# The predecessor of this lab compared its methods on thirty koans, where one koan is worth more than three points;
# @sec-episodes shows what so few can tell. Its table cannot tell its methods apart.
#
# *What this holds for:* one small coder (@sec-results-sleep-base), one night after a day of generated Python, an exam of
# unseen templates, and one setting of rate, rank and steps for all methods.
#
# *What would change our mind:* other bases. What holds for a model of this size on generated Python may not hold for a
# model that has read the internet.

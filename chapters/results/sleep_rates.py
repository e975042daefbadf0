# %% [markdown]
# # The rate of a night {#sec-results-sleep-rates}

# %%
from IPython.display import Markdown

from llmlab.book.show import answer, badge, command, figure, method, note, says, table, verdict

naive = says(
    "H-SLEEP-RATE-1",
    supported="At its own best rate, a night of naive LoRA improves the coder.",
    refuted="Even at its own best rate, a night of naive LoRA does not improve the coder by our margin.",
    undecided="It is open whether a night of naive LoRA at its own best rate improves the coder.",
    also="The pass rate {moves}.",
)
new = says(
    "H-SLEEP-RATE-2",
    supported="A higher rate teaches new families.",
    refuted="A higher rate teaches no more of the new families, by our margin.",
    undecided="It is open whether a higher rate teaches more of the new families.",
)
known = says(
    "H-SLEEP-RATE-3",
    supported="The higher rate costs much of what was known.",
    refuted="The higher rate costs little of what was known.",
    undecided="It is open what the higher rate costs of what was known.",
)
answer(naive, new, known)

# %% [markdown]
# ## The question
#
# @sec-results-sleep-methods compares nights at one learning rate. Was that rate fair? A rate that is too high ruins what
# the coder knew; one that is too low teaches it nothing.

# %%
note("sleep_rates")

# %%
# | label: fig-sleep-rates
# | fig-cap: "Pass rate after the night minus before, over the learning rate: of all koans, of the families that the coder was taught, and of the new ones."
# | fig-alt: "Three panels with one line for each method of the night over the learning rate."
figure(
    "sleep_rates",
    ["gain", "taught_gain", "new_gain"],
    x="learning_rate",
    by="method",
)

# %% [markdown]
# ## Hypotheses and verdicts

# %%
verdict("H-SLEEP-RATE-1")

# %%
verdict("H-SLEEP-RATE-2")

# %%
verdict("H-SLEEP-RATE-3")

# %%
verdict("H-SLEEP-RATE-4")

# %%
verdict("H-SLEEP-RATE-5")

# %%
verdict("H-SLEEP-RATE-6")

# %% [markdown]
# ## Method
#
# Four nights of @sec-results-sleep-methods, each at a rate of zero and at ten rates that differ by a factor of two:
# *naive* learns the references of all episodes, *targeted* those of failed ones, *replay* adds a fifth of passed ones, and
# *self* learns the coder's own green repairs. The best rate of a method is the one with the highest mean pass rate on a
# second set of unseen templates, so the exam does not choose it. A method whose best rate is so low that nothing changes
# is best left alone.
#
# The first sweep ended at [5e-4]{.setting}, where two methods were at their best, and so decided nothing about them. The
# lower rates and more seeds were added before their runs, and then zero, below which there is nothing. Zero
# itself is no choice: all seeds end where they began.

# %%
# | label: tbl-sleep-rates-method
# | tbl-cap: "Conditions and budget."
method("sleep_rates")

# %% [markdown]
# This command makes the table:

# %%
command("sleep_rates")

# %% [markdown]
# ## Results

# %%
# | label: tbl-sleep-rates
# | tbl-cap: "Each method at its own best rate against the coder before the night."
table(
    "sleep_rates",
    ["pass_rate", "gain", "gains", "regressions", "taught_gain", "new_gain"],
    by="method",
    tuned=["learning_rate"],
)

# %% [markdown]
# ## Learnings

# %%
own = says(
    "H-SLEEP-RATE-4",
    supported="Its own repairs change nothing at their best rate.",
    refuted="Its own repairs change something at their best rate.",
    undecided="It is open whether its own repairs change anything at their best rate.",
)
failures = says(
    "H-SLEEP-RATE-5",
    supported="The higher the rate, the more a night on failures alone loses.",
    refuted="A night on failures alone does not lose the more, the higher the rate.",
    undecided="It is open whether a night on failures alone loses more at higher rates throughout.",
)
fifth = says(
    "H-SLEEP-RATE-6",
    supported="At a rate that teaches, a fifth of passed episodes is too little.",
    refuted="At a rate that teaches, a fifth of passed episodes does as well as all, by our margin.",
    undecided="It is open whether a fifth of passed episodes is too little at a rate that teaches.",
)
Markdown(
    f"- {naive} (H-SLEEP-RATE-1 {badge('H-SLEEP-RATE-1')})\n"
    f"- {new} (H-SLEEP-RATE-2 {badge('H-SLEEP-RATE-2')})\n"
    f"- {known} (H-SLEEP-RATE-3 {badge('H-SLEEP-RATE-3')})\n"
    f"- {own} (H-SLEEP-RATE-4 {badge('H-SLEEP-RATE-4')})\n"
    f"- {failures} (H-SLEEP-RATE-5 {badge('H-SLEEP-RATE-5')})\n"
    f"- {fifth} (H-SLEEP-RATE-6 {badge('H-SLEEP-RATE-6')})\n"
)

# %% [markdown]
# *What this holds for:* one small coder (@sec-results-sleep-base), one night of a fixed number of steps after a day of
# generated Python.
#
# *What would change our mind:* longer nights, or a loss that also holds the weights where they were.

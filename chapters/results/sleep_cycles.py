# %% [markdown]
# # Eight nights in a row {#sec-results-sleep-cycles}
#
# ## The question
#
# One night says little about a life. A coder that learns from its own green repairs may find more of them the next day,
# and more the day after. Or it may only grow sure of what it knew. Or, without a judge, it may learn its own mistakes
# until nothing else is left. Which is it?

# %%
from IPython.display import Markdown

from llmlab.book.show import badge, command, curves, explorer, method, note, says, table, verdict

note("sleep_cycles")

# %%
# | label: fig-sleep-cycles
# | fig-cap: "Pass rate after each night, on koans of unseen templates; night 0 is the base."
# | fig-alt: "One line over the nights for each kind of lesson."
curves("sleep_cycles", "rate", by="method", x_name="nights")

# %% [markdown]
# ## Hypotheses and verdicts

# %%
verdict("H-CYCLES-1")

# %%
verdict("H-CYCLES-2")

# %%
verdict("H-CYCLES-3")

# %%
verdict("H-CYCLES-4")

# %% [markdown]
# ## Method
#
# Each day has fresh koans, tried by what the nights before have made, with answers drawn at a low temperature. Each night
# trains one adapter and adds it to the weights for good. *Self* learns its own green repairs, *unjudged* all of its own
# edits, *references* the known repair of every koan. The exam is the same after each night, and greedy. *Variety* counts
# different answers, names by their place: a coder that has collapsed gives few.

# %%
# | label: tbl-sleep-cycles-method
# | tbl-cap: "Conditions and budget."
method("sleep_cycles")

# %% [markdown]
# The table is made by

# %%
command("sleep_cycles")

# %% [markdown]
# ## Results

# %%
# | label: tbl-sleep-cycles
# | tbl-cap: "After the last night."
table(
    "sleep_cycles",
    ["pass_rate", "gain", "first_gain", "late_change", "regressions", "new_gain", "variety"],
    by="method",
)

# %% [markdown]
# ## Episodes to replay
#
# What the coder of the last morning does with koans of the exam, in up to three answers. The slider goes from the start
# to the last answer; changed lines are bold.

# %%
# | label: fig-sleep-cycles-episodes
# | fig-cap: "Episodes after the last night of self-training: program, answer, verdict."
# | fig-alt: "A red program, an answer, and what the judge said."
explorer("sleep_cycles", "episodes", run={"method": "self"})

# %% [markdown]
# ## Learnings

# %%
Markdown(
    says(
        "H-CYCLES-1",
        supported="- Nights of own green repairs make a better coder",
        refuted="- Nights of own green repairs do not make a better coder, by the margin that we asked for",
        undecided="- Whether nights of own repairs help is open",
        untested="- Whether nights of own repairs help is untested",
    )
    + f" (H-CYCLES-1 {badge('H-CYCLES-1')}).\n"
    + says(
        "H-CYCLES-2",
        supported="- It levels off",
        refuted="- It does not level off within these nights",
        undecided="- Whether it levels off is open",
        untested="- Whether it levels off is untested",
    )
    + f" (H-CYCLES-2 {badge('H-CYCLES-2')}).\n"
    + says(
        "H-CYCLES-3",
        supported="- Without a judge it does worse",
        refuted="- Without a judge it does no worse, by that margin",
        undecided="- What the judge is worth is open",
        untested="- What the judge is worth is untested",
    )
    + f" (H-CYCLES-3 {badge('H-CYCLES-3')}).\n"
    + says(
        "H-CYCLES-4",
        supported="- What is new comes from references alone",
        refuted="- References do not teach more that is new than own repairs, by that margin",
        undecided="- Whether what is new needs references is open",
        untested="- Whether what is new needs references is untested",
    )
    + f" (H-CYCLES-4 {badge('H-CYCLES-4')}).\n"
)

# %% [markdown]
# Models that are trained on what models wrote lose the tails of what they knew [@shumailov2023curse]. A judge is what
# separates that from learning: it lets nothing wrong through, but it cannot let through what was never tried.
#
# *What this holds for:* one small coder (@sec-results-sleep-base), days of generated Python, and nights of the few steps in
# @tbl-sleep-cycles-method.
#
# *What would change our mind:* a base that repairs some koans of every family. Rejection sampling has nothing to select
# where nothing is green.

# %% [markdown]
# # Eight nights in a row {#sec-results-sleep-cycles}

# %%
from IPython.display import Markdown

from llmlab.book.show import (
    answer,
    badge,
    command,
    curves,
    explorer,
    method,
    note,
    says,
    table,
    verdict,
)

better = says(
    "H-CYCLES-1",
    supported="Nights of a coder's own green repairs make it better.",
    refuted="Nights of a coder's own green repairs do not make it better, by our margin.",
    undecided="It is open whether nights of a coder's own green repairs make it better.",
    also="The pass rate {moves}.",
)
judge = says(
    "H-CYCLES-3",
    supported="Without a judge the coder does worse.",
    refuted="Without a judge the coder does no worse, by our margin.",
    undecided="It is open what a judge of these repairs is worth.",
    also="With all edits instead of the green ones alone, the pass rate {moves}.",
)
answer(better, judge)

# %% [markdown]
# ## The question
#
# One night says little about many. A coder that learns from its own green repairs may find more of them the next day,
# and still more the day after. It may only grow more certain of what it knew. Or, without a judge, it may learn its own
# mistakes until nothing else is left. Which is it?

# %%
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
# Each day, the coder that the previous nights made tries fresh koans, with answers drawn at a low temperature. Each night
# trains one adapter and adds it to the weights for good. *Self* learns from the coder's own green repairs, *unjudged* from
# all its own edits, *references* from the known repair of every koan. The exam is the same after each night, and greedy.
# *Variety* counts distinct answers, with names by their place: a coder that has collapsed gives few.

# %%
# | label: tbl-sleep-cycles-method
# | tbl-cap: "Conditions and budget."
method("sleep_cycles")

# %% [markdown]
# This command makes the table:

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
# The coder of the last morning tries koans of the exam, with up to three answers each. The slider goes from the start to
# the last answer; changed lines are bold.

# %%
# | label: fig-sleep-cycles-episodes
# | fig-cap: "Episodes after the last night of self-training: program, answer, verdict."
# | fig-alt: "A red program, an answer, and what the judge said."
explorer("sleep_cycles", "episodes", run={"method": "self"})

# %% [markdown]
# ## Learnings

# %%
levels = says(
    "H-CYCLES-2",
    supported="The gain levels off.",
    refuted="The gain does not level off within these nights.",
    undecided="It is open whether the gain levels off.",
)
references = says(
    "H-CYCLES-4",
    supported="Only references teach new families.",
    refuted="References teach no more of the new families than the coder's own repairs, by our margin.",
    undecided="It is open whether learning new families needs references.",
)
Markdown(
    f"- {better} (H-CYCLES-1 {badge('H-CYCLES-1')})\n"
    f"- {levels} (H-CYCLES-2 {badge('H-CYCLES-2')})\n"
    f"- {judge} (H-CYCLES-3 {badge('H-CYCLES-3')})\n"
    f"- {references} (H-CYCLES-4 {badge('H-CYCLES-4')})\n"
)

# %% [markdown]
# Models trained on the output of models lose the tails of what they knew [@shumailov2023curse]. A judge separates learning
# from that: it lets nothing wrong through, but it cannot let through what was never tried.
#
# *What this holds for:* one small coder (@sec-results-sleep-base), days of generated Python, and nights of the few steps in
# @tbl-sleep-cycles-method.
#
# *What would change our mind:* a base that repairs some koans of every family. Rejection sampling has nothing to select
# where nothing is green.

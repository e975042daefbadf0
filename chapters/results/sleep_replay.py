# %% [markdown]
# # Replay at night {#sec-results-sleep-replay}

# %%
from IPython.display import Markdown

from llmlab.book.show import answer, badge, command, figure, method, note, says, table, verdict

fifth = says(
    "H-SLEEP-REPLAY-1",
    supported="Lessons with a fifth of passed episodes save a part of what was known.",
    refuted="Lessons with a fifth of passed episodes save little of what was known.",
    undecided="It is open whether a fifth of passed episodes among the lessons saves what was known.",
    also="The share of koans lost {moves}.",
)
half = says(
    "H-SLEEP-REPLAY-2",
    supported="A half is too much: it costs the new families.",
    refuted="A half costs the new families less than we said.",
    undecided="It is open whether a half costs the new families as much as we said.",
)
answer(fifth, half)

# %% [markdown]
# ## The question
#
# Training on failures alone may erase what was known. How many passed episodes should a night repeat?

# %%
note("sleep_replay")

# %%
# | label: fig-sleep-replay
# | fig-cap: "Koans lost over the night, by the share of passed episodes among the lessons."
# | fig-alt: "Regressions over the replay share, with error bars."
figure("sleep_replay", "regressions", x="replay")

# %% [markdown]
# ## Hypotheses and verdicts

# %%
verdict("H-SLEEP-REPLAY-1")

# %%
verdict("H-SLEEP-REPLAY-2")

# %% [markdown]
# ## Method
#
# Lessons are the failed episodes of a day with their references, plus passed episodes with the coder's own edits, which
# make up the share in question. The number of steps is the same for all, so replay takes steps from what is new.

# %%
# | label: tbl-sleep-replay-method
# | tbl-cap: "Conditions and budget."
method("sleep_replay")

# %% [markdown]
# This command makes the table:

# %%
command("sleep_replay")

# %% [markdown]
# ## Results

# %%
# | label: tbl-sleep-replay
# | tbl-cap: "Each share of replay against the coder before the night."
table(
    "sleep_replay",
    ["pass_rate", "gain", "gains", "regressions", "taught_gain", "new_gain"],
    by="replay",
)

# %% [markdown]
# ## Learnings

# %%
Markdown(
    f"- {fifth} (H-SLEEP-REPLAY-1 {badge('H-SLEEP-REPLAY-1')})\n"
    f"- {half} (H-SLEEP-REPLAY-2 {badge('H-SLEEP-REPLAY-2')})\n"
)

# %% [markdown]
# *What this holds for:* one night of one small coder (@sec-results-sleep-base) on generated Python, where failed lessons
# carry the reference and passed ones the coder's own edit.
#
# *What would change our mind:* days with few failures, where a share of passed episodes is most of the lessons.

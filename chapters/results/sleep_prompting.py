# %% [markdown]
# # Hints and turns {#sec-results-sleep-prompting}

# %%
from IPython.display import Markdown

from llmlab.book.show import answer, badge, command, figure, method, note, says, table, verdict

turns = says(
    "H-PROMPT-1",
    supported="Asking three more times turns more koans green, by our margin.",
    refuted="Asking three more times does not turn as many more koans green as we asked for.",
    undecided="It is open whether asking three more times turns as many more koans green as we asked for.",
)
hint = says(
    "H-PROMPT-2",
    supported="A hint, the name of the bug's family, changes nothing beyond our margin.",
    refuted="A hint, the name of the bug's family, makes a difference beyond our margin.",
    undecided="It is open whether a hint, the name of the bug's family, makes a difference.",
)
answer(turns, hint)

# %% [markdown]
# ## The question
#
# The predecessor of this lab found that advice in the prompt did more than any training. Is asking again, or giving a
# hint, worth more than learning at night?

# %%
note("sleep_prompting")

# %%
# | label: fig-sleep-prompting
# | fig-cap: "Koans that end green, by the number of answers, with and without the family of the bug as a hint."
# | fig-alt: "Two lines of the pass rate over the number of turns."
figure("sleep_prompting", "pass_rate", x="turns", by="hint")

# %% [markdown]
# ## Hypotheses and verdicts

# %%
verdict("H-PROMPT-1")

# %%
verdict("H-PROMPT-2")

# %% [markdown]
# ## Method
#
# Nothing is trained. After each edit the judge runs the program. If it is still red, the coder is asked again, with the
# edited code and its new error. A hint is the family of the bug, which half of the base's lessons named.

# %%
# | label: tbl-sleep-prompting-method
# | tbl-cap: "Conditions and budget."
method("sleep_prompting")

# %% [markdown]
# This command makes the table:

# %%
command("sleep_prompting")

# %% [markdown]
# ## Results

# %%
# | label: tbl-sleep-prompting-untold
# | tbl-cap: "Pass rates by turns, without a hint."
table(
    "sleep_prompting",
    ["pass_rate", "taught_rate", "new_rate"],
    by="turns",
    hint=False,
)

# %%
# | label: tbl-sleep-prompting-told
# | tbl-cap: "Pass rates by turns, with the family of the bug as a hint."
table(
    "sleep_prompting",
    ["pass_rate", "taught_rate", "new_rate"],
    by="turns",
    hint=True,
)

# %% [markdown]
# ## Learnings

# %%
Markdown(
    f"- {turns} (H-PROMPT-1 {badge('H-PROMPT-1')})\n- {hint} (H-PROMPT-2 {badge('H-PROMPT-2')})\n"
)

# %% [markdown]
# Neither compares another answer with a night: @sec-results-sleep-methods shows what nights do.
#
# *What this holds for:* one small coder (@sec-results-sleep-base), for which a hint is one token, and which always gives
# its most likely answer.
#
# *What would change our mind:* a model that reads advice in words, which a hint can tell something new.

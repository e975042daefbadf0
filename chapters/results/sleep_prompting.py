# %% [markdown]
# # Hints and turns {#sec-results-sleep-prompting}
#
# ## The question
#
# The predecessor of this lab found that advice in the prompt did more than any training. Is asking again, or giving a
# hint, worth more than learning at night?

# %%
from IPython.display import Markdown

from llmlab.book.show import badge, command, figure, method, note, says, table, verdict

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
# The table is made by

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
    says(
        "H-PROMPT-1",
        supported="- Three more answers turn more koans green, by our margin",
        refuted="- Three more answers do not turn as many more koans green as we asked for",
        undecided="- Whether three more answers turn as many more koans green as we asked for is open",
        untested="- What three more answers are worth is untested",
    )
    + f" (H-PROMPT-1 {badge('H-PROMPT-1')}).\n"
    + says(
        "H-PROMPT-2",
        supported="- The name of the family changes nothing beyond our margin",
        refuted="- The name of the family makes a difference beyond our margin",
        undecided="- Whether the name of the family makes a difference is open",
        untested="- What the name of the family is worth is untested",
    )
    + f" (H-PROMPT-2 {badge('H-PROMPT-2')}).\n"
)

# %% [markdown]
# Neither compares another answer with a night: @sec-results-sleep-methods shows what nights do.
#
# *What this holds for:* one small coder (@sec-results-sleep-base), for which a hint is one token, and which always gives
# its most likely answer.
#
# *What would change our mind:* a model that reads advice in words, which a hint can tell something new.

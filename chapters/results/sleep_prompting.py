# %% [markdown]
# # Hints, examples and turns {#sec-results-sleep-prompting}

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
example = says(
    "H-PROMPT-3",
    supported="One repair of the same family, shown first, turns more koans of new families green, by our margin.",
    refuted="One repair of the same family, shown first, does not turn as many more koans of new families green as we asked for.",
    undecided="It is open whether one repair of the same family, shown first, turns more koans of new families green.",
)
answer(turns, hint, example)

# %% [markdown]
# ## The question
#
# The predecessor of this lab found that advice in the prompt did more than any training. Is asking again, or giving a
# hint or an example, worth more than learning at night?

# %%
note("sleep_prompting")

# %%
# | label: fig-sleep-prompting
# | fig-cap: "Koans that end green, by the number of answers, with and without the family of the bug as a hint; no example."
# | fig-alt: "Two lines of the pass rate over the number of turns."
figure("sleep_prompting", "pass_rate", x="turns", by="hint", examples=0)

# %%
# | label: fig-sleep-prompting-examples
# | fig-cap: "Koans that end green, by the number of answers, with and without an example of the family; no hint. @tbl-sleep-prompting-shown has the families that the base was not taught."
# | fig-alt: "Two lines of the pass rate over the number of turns."
figure("sleep_prompting", "pass_rate", x="turns", by="examples", hint=False)

# %% [markdown]
# ## Hypotheses and verdicts

# %%
verdict("H-PROMPT-1")

# %%
verdict("H-PROMPT-2")

# %%
verdict("H-PROMPT-3")

# %% [markdown]
# ## Method
#
# Nothing is trained. After each edit the judge runs the program. If it is still red, the coder is asked again, with the
# edited code and its new error. An answer that is no edit of the program changes neither, so the coder gives its most
# likely answer on the first turn alone, and draws one on each later turn. A hint is the family of the bug, which half of
# the base's lessons named. An example is a repair of the same family in another program: the program, its error and the
# edit. A fourth of the base's lessons followed one, though none of a new family.

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
def rates(**help_given):
    """Pass rates by turns, with this help."""
    metrics = ["pass_rate", "taught_rate", "new_rate"]
    return table("sleep_prompting", metrics, by="turns", **help_given)


# %%
# | label: tbl-sleep-prompting-untold
# | tbl-cap: "Pass rates by turns, without help."
rates(hint=False, examples=0)

# %%
# | label: tbl-sleep-prompting-told
# | tbl-cap: "Pass rates by turns, with the family of the bug as a hint."
rates(hint=True, examples=0)

# %%
# | label: tbl-sleep-prompting-shown
# | tbl-cap: "Pass rates by turns, with one example of the family."
rates(hint=False, examples=1)

# %% [markdown]
# ## Learnings

# %%
Markdown(
    f"- {turns} (H-PROMPT-1 {badge('H-PROMPT-1')})\n- {hint} (H-PROMPT-2 {badge('H-PROMPT-2')})\n"
    f"- {example} (H-PROMPT-3 {badge('H-PROMPT-3')})\n"
)

# %% [markdown]
# None compares another answer with a night: @sec-results-sleep-methods shows what nights do.
#
# *What this holds for:* one small coder (@sec-results-sleep-base), for which a hint is one token, and one temperature of
# the answers drawn on later turns.
#
# *What would change our mind:* a model that reads advice in words, which a hint can tell something new.

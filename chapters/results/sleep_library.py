# %% [markdown]
# # A library of adapters {#sec-results-sleep-library}

# %%
from llmlab.book.show import answer, command, method, note, table, value

answer(
    f"An adapter of a whole family changes the pass rate of its family by {value('sleep_library', 'gain')}, or by "
    f"{value('sleep_library', 'taught_gain')} in the families that the base was taught. A small adapter of a piece "
    f"changes it by {value('sleep_pieces', 'gain')}."
)

# %% [markdown]
# ## The question
#
# Share, routing and shared bases all begin with adapters, one for each task. How much does such an adapter help the
# family of bugs that it was trained on? Nothing made of adapters can be judged without that answer.

# %%
note("sleep_library")

# %%
note("sleep_pieces")

# %% [markdown]
# ## Method
#
# Each of the twelve families gets a LoRA adapter with its own random start, trained on the references of that family's
# koans alone. *Pieces* are smaller: the koans of the nine known families are divided among many adapters, each trained
# for a few steps. The exam has fresh koans of unseen templates for each seed, and an adapter of its family answers each.
# The adapters are kept. The experiments of @sec-results-sleep-share, @sec-results-sleep-routing and
# @sec-results-sleep-adapters start from them, so that they do not compare the luck of training runs.

# %%
# | label: tbl-sleep-library-method
# | tbl-cap: "Conditions and budget."
method("sleep_library")

# %% [markdown]
# These commands make the tables:

# %%
command("sleep_library")

# %%
command("sleep_pieces")

# %% [markdown]
# ## Results

# %%
# | label: tbl-sleep-library
# | tbl-cap: "What an adapter of a whole family does for its own family."
table("sleep_library", ["pass_rate", "gain", "taught_gain"], by="kind", compare=False)

# %%
# | label: tbl-sleep-pieces
# | tbl-cap: "What small adapters do, each for its own family, among the families that the base was taught."
table("sleep_pieces", ["pass_rate", "gain"], by="kind", compare=False)

# %% [markdown]
# ## Learnings
#
# *What this holds for:* one small coder (@sec-results-sleep-base) on generated Python, with the right adapter given for
# each koan, not found.
#
# *What would change our mind:* adapters trained until they stop improving. These have a night's few steps.

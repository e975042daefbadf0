# %% [markdown]
# # A library of adapters {#sec-results-sleep-library}
#
# ## The question
#
# Share, routing and shared bases all begin with adapters, one for each task. What is such an adapter worth to the
# family of bugs that it was trained on? Whatever is made of adapters cannot be judged without that.

# %%
from IPython.display import Markdown

from llmlab.book.show import command, method, note, table, value

note("sleep_library")

# %%
note("sleep_pieces")

# %% [markdown]
# ## Method
#
# Each of the twelve families gets a LoRA adapter, trained from a start of its own on the references of koans of that
# family alone. *Pieces* are smaller: the koans of the nine known families are dealt to many adapters, each with a few
# steps. The exam has fresh koans of unseen templates for each seed, and each is answered with an adapter of its family.
# The adapters are kept, and the experiments of @sec-results-sleep-share, @sec-results-sleep-routing and
# @sec-results-sleep-adapters start from them: what these compare is not the luck of a training run.

# %%
# | label: tbl-sleep-library-method
# | tbl-cap: "Conditions and budget."
method("sleep_library")

# %% [markdown]
# The tables are made by

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
# | tbl-cap: "What small adapters do, each for its own of the families that the base was taught."
table("sleep_pieces", ["pass_rate", "gain"], by="kind", compare=False)

# %% [markdown]
# ## Learnings

# %%
Markdown(
    f"An adapter of a whole family changes the pass rate of its family by {value('sleep_library', 'gain')}, "
    f"on the families that the base was taught by {value('sleep_library', 'taught_gain')}; a small one of a piece by "
    f"{value('sleep_pieces', 'gain')}."
)

# %% [markdown]
# *What this holds for:* one small coder (@sec-results-sleep-base) on generated Python; that each koan meets the adapter of
# its own family is given, not found.
#
# *What would change our mind:* adapters trained until nothing more is to be had. These have a night's few steps.

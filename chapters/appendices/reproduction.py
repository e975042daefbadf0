# %% [markdown]
# # Reproduction {#sec-reproduction}
#
# Every build runs every experiment again at smoke scale and compares each metric of each run with the recorded one.
# On one machine two runs with one seed give the same numbers. Other processors and other versions of the libraries
# round differently, and training amplifies that, so each metric has a tolerance; only a difference beyond it counts
# as drift.

# %%
from llmlab.book.show import reproduction

reproduction()

# %% [markdown]
# ## Tolerances
#
# How far a metric may differ between machines, as its experiment declares it.

# %%
from llmlab.book.show import tolerances

tolerances()

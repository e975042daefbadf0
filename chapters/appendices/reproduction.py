# %% [markdown]
# # Reproduction {#sec-reproduction}
#
# Every build runs every experiment again at smoke scale and compares each metric of each run with the recorded value.
# On one machine, two runs with the same seed give the same numbers. Other processors and library versions round
# differently, and training amplifies the difference, so each metric has a tolerance. Only a difference beyond it counts
# as drift.

# %%
from llmlab.book.show import reproduction

reproduction()

# %% [markdown]
# ## Tolerances
#
# The tolerance says how far a metric may differ between machines. Where differences between machines were measured, the
# tolerance follows from them; otherwise the experiment declares it. A base that was trained on another processor is
# another base, and what starts from it differs more; where it is the recorded one bit for bit, no metric may differ by
# more than half a standard deviation over its table.

# %%
from llmlab.book.show import tolerances

tolerances()

# %% [markdown]
# # Progress {#sec-progress}
#
# This page lists what the book is meant to contain, track by track. Nobody ticks a box here: a feature passes its gates
# when its code and tests exist, its experiments are recorded, its questions are answered and its chapters are written.
# *Planned*, *code ready*, *run at smoke*, *recorded* and *answered* are different states.

# %%
from llmlab.book.show import progress

progress()

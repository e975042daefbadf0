# %% [markdown]
# # Progress {#sec-progress}
#
# This page lists what the book is meant to contain, track by track. Nobody ticks a box here. A feature is done, and has a
# tick, when it has passed all of its gates: its code and tests exist, its experiments are recorded, its questions are
# answered and its chapters are written, as far as it needs them. The word beside the sign says how far it has come:
# *planned*, *code ready*, *run at smoke*, *recorded* or *answered*. So a feature without a question is done when its code
# is ready, and one whose runs are recorded is not done while they leave its question open; *Open gates* says why. A phase
# is under way from its first feature on, and finished with its last.

# %%
from llmlab.book.show import progress

progress()

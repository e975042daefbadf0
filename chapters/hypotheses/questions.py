# %% [markdown]
# # Question log {#sec-questions}
#
# This page lists every question the book asks, in plain words. A question's status is computed from its hypotheses:
# *open* while none of them is tested, *answered* when each is supported or refuted, *exploring* in between. A question
# that was replaced by a better one is *superseded*.

# %%
from llmlab.book.show import questions

questions()

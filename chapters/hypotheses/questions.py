# %% [markdown]
# # Question log {#sec-questions}
#
# Every question that the book asks, in plain words. Its status is computed from its hypotheses: *open* while none of
# them is tested, *answered* when each is supported or refuted, *exploring* in between. A question that was replaced
# by a better one is *superseded*.

# %%
from llmlab.book.show import questions

questions()

# %% [markdown]
# # The ledger {#sec-ledger}
#
# Every hypothesis, whatever became of it. The effect is shown with its interval and the number of paired seeds, and
# beside it what had been claimed. Registered is the date of the entry; where git shows that the result was there
# first, the table says so. The [preface](../preface.ipynb) explains the words.

# %%
from llmlab.book.show import ledger

ledger()

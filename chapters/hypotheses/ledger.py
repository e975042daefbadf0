# %% [markdown]
# # The ledger {#sec-ledger}
#
# The ledger lists every hypothesis, whatever became of it, with the chapter that tests it. It shows the effect with its
# interval and the number of paired seeds, next to the claim. *Registered* is the date of the entry; if git shows that
# the result came first, the table says so. The [preface](../preface.ipynb) explains the words.

# %%
from llmlab.book.show import ledger

ledger()

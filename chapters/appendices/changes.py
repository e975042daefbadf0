# %% [markdown]
# # What changed {#sec-changes}
#
# Each version of this book is a tag in its repository. This page compares the evidence with the previous version: new
# hypotheses, verdicts that changed, tables that were computed again and the code behind them that changed. Each version
# is judged by its own code, from the tables at its own commit.

# %%
from llmlab.book.show import changes

changes()

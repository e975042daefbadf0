# %% [markdown]
# # What changed {#sec-changes}
#
# Each version of this book is a tag of its repository. This page compares the evidence with that of the version before:
# which hypotheses are new, which are judged anew, which tables were computed again and what code of theirs had changed.
# Both versions are judged by their own code, from the tables at their own commits.

# %%
from llmlab.book.show import changes

changes()

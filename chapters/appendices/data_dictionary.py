# %% [markdown]
# # Data dictionary {#sec-data-dictionary}
#
# Every experiment leaves two tables in `results/<scale>/<experiment>/`: `runs.csv` with one row for each run and
# `curves.parquet` with the points of its curves. The columns below are generated from the schemas that every table is
# checked against when it is written and when it is read. A *share* is a number from 0 to 1; pages show it in per cent.

# %%
from llmlab.book.show import dictionary

dictionary()

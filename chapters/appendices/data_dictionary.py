# %% [markdown]
# # Data dictionary {#sec-data-dictionary}
#
# Every experiment writes two tables to `results/<scale>/<experiment>/`: `runs.csv` with one row per run, and
# `curves.parquet` with the points of its curves. The columns below are generated from the schemas that check every
# table on each write and read. A *share* is a number from 0 to 1; pages show it in per cent.

# %%
from llmlab.book.show import dictionary

dictionary()

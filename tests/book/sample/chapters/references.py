# %% [markdown]
# # References {.unnumbered}
#
# ::: {#refs}
# :::

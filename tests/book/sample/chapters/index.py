# %% [markdown]
# # Preface {.unnumbered}
#
# This book has one result, in @sec-result, and one idea, in @sec-idea.

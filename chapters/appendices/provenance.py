# %% [markdown]
# # Provenance {#sec-provenance}
#
# This page says where every table comes from: the command that makes it again, the commit and the machine that made it,
# the library versions, and checksums. *Fresh* tables were computed by the machine that built this edition; *recorded*
# ones came with the repository. A table whose bytes no longer match its checksum stops the build.

# %%
from llmlab.book.show import provenance

provenance()

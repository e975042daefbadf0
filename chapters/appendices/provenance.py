# %% [markdown]
# # Provenance {#sec-provenance}
#
# Where every table comes from: the command that makes it again, the commit and the machine that made it, the libraries
# that were installed, and checksums. *Fresh* tables were computed by the machine that built this edition, *recorded*
# ones came with it. A table whose bytes no longer match its checksum stops the build.

# %%
from llmlab.book.show import provenance

provenance()

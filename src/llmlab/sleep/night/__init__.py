"""Train a coder on the episodes of a day. Reading order:

1. `methods`: the names of all methods, with a line about each.
2. `lessons`, `nights`: what there is to learn from a day; the methods that end in one coder.
   `stacked`: adapters trained together. `osf`: orthogonal subspace fine-tuning.
   `cycles`: days and nights in a row.
3. `adapters`: adapters as tensors, and their merging.
   `bases`, `share`, `stream`: bases that adapters share (Share, 2602.06043).
4. `skills`, `routing`, `families`: weights for each family of bugs, and how a family is recognised.
5. `catalog`: all methods by name.
"""

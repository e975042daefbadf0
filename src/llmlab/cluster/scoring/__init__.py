"""Compare predictions with published runs. Reading order:

1. `rows`: turns rows of a table of runs into plans with observed times; names unusable ones.
   `tables` reads such a table, ours or as other people write it.
2. `score`: errors, overall and by source.
3. `calibration`: coefficients fitted to runs; `refit` writes them into the package.
4. `held_out`: predictors tested on unseen models.
5. `memory`: predicted memory compared with published peaks.
"""

"""Predictions beside published runs. To read it, follow the data:

1. `rows`: a table of runs becomes plans with observed times; what cannot be used is named.
2. `score`: errors, overall and by source.
3. `calibration`: coefficients fitted to runs.
4. `held_out`: predictors tested on models that they have not seen.
5. `memory`: predicted memory beside published peaks.
"""

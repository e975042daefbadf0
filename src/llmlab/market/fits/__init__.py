"""Fit scaling laws to tables of runs: the law, the optimiser, intervals, rivals, the report.

Read `law`, then `descent` and `fitting`; `table` reads a user's file, `report` prints the
result. `public` holds published runs.
"""

"""Scaling laws fitted to tables of runs: the law, the descent, intervals, rivals, the report.

Read `law`, then `descent`, `fitting`, `bootstrap`; `table` reads what a user gives, `report` says
what came of it.
"""

"""Features of daily bars: declared, computed with TA-Lib, and checked not to see the future.

Read `feature`, then `indicators` and `tiers`; `table` computes features, `leaks` is the alarm.
"""

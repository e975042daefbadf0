"""Features of daily bars: declared, computed by TA-Lib, and proved not to see the future.

Read `feature`, then `indicators` and `tiers`; `table` computes them, `leaks` is the alarm.
"""

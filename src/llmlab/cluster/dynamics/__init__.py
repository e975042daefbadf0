"""Model the scatter of real runs, to draw others like them. Reading order:

1. `pieces`: a series drawn anew from pieces of a real one; `noise`: from its distribution and its
   autocorrelation alone, for comparison.
2. `steps`, `loss`: step times with their pauses, and losses.
3. `library`: the real runs that were fitted.
"""

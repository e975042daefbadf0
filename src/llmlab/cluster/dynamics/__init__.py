"""How real runs scatter, to draw others like them. To read it, follow the data:

1. `noise`: any distribution with a short memory, fitted to a series and drawn anew.
2. `steps`, `loss`: step times with their pauses, and losses.
3. `library`: the real runs that were fitted.
"""

"""Interruptions of a run, and their cost. Reading order:

1. `causes`: rates, counted from published runs.
2. `checkpoints`: closed forms for the best interval and the goodput.
3. `runs`: months with random interruptions.
4. `estimate`: days to a token budget.
"""

"""What stops a run and what that costs. To read it, follow the data:

1. `causes`: how often, counted from published runs.
2. `checkpoints`: closed forms for the best interval and for what is left.
3. `runs`: months with interruptions, drawn at random.
4. `estimate`: days to a token budget.
"""

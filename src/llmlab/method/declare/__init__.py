"""What an experiment declares: its axes, metrics, budgets, and what runs it."""

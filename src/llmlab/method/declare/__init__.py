"""The declaration of an experiment: its axes, metrics, budgets and run function."""

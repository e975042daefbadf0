"""`llmlab sleep ...`: one module for each group of commands."""

"""Run the trials of an experiment, and report their progress."""

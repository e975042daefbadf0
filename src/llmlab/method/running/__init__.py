"""Runs the trials of an experiment, and tells how far they are."""

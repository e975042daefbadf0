"""What a loss curve tells: what happened in a run, at which step, and on what evidence."""

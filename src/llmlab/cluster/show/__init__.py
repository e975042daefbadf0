"""A run on a cluster in simulated time. Reading order:

1. `scenario`: model, cluster, and failure rates.
2. `events`: events as data.
3. `script`: the log lines of ranks and libraries.
4. `world`: the run itself, which produces the events.
"""

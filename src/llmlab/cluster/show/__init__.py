"""A run on a cluster in simulated time. Reading order:

1. `scenario`: model, cluster, and failure rates.
2. `events`: events as data.
3. `script`: the log lines of ranks and libraries.
4. `fleet`, `world`: the ranks, and the run itself, which produces the events.
5. `stage`: runs one after another, each event at its time.
6. `formats`, `screen`: events as log lines, and on a terminal.
"""

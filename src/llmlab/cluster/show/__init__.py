"""A run on a cluster in simulated time. To read it, follow the data:

1. `scenario`: model, cluster, and how often things go wrong.
2. `events`: what happens, as data.
3. `script`: what ranks and libraries say.
4. `world`: the run itself, which makes the events.
"""

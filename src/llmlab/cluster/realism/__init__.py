"""Can a classifier tell simulated runs from real ones? Reading order:

1. `contenders`: series that claim to come from a training run: simulated, naive and real ones.
2. `views`: what a judge sees of a series: numbers, gaps between events, or log text.
3. `judges`: classifiers of views.
4. `two_sample`: the test, split by system.
"""

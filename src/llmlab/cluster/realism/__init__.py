"""Can a classifier tell simulated runs from real ones? To read it, follow the data:

1. `contenders`: series that claim to be a training run's: simulated ones, naive ones, real ones.
2. `views`: what a judge gets to see of a series: numbers, gaps between events, or log text.
3. `judges`: classifiers of what is seen.
4. `two_sample`: the test, split by system.
"""

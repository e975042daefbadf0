"""Models of the samples: transformers by parameter budget, baselines, scores, a search.

Read `architecture`, `transformer`, `training`, then `study`, which ties them together.
"""

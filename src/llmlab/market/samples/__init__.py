"""From bars to samples: targets, chunks that do not leak, windows that are scaled by training rows.

Read `targets`, `chunks`, then `windows`.
"""

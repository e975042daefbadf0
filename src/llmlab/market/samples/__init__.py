"""From bars to samples: targets, chunks without leaks, windows scaled by training rows.

Read `targets`, `chunks`, then `windows`; `report` prints `llmlab market targets`.
"""

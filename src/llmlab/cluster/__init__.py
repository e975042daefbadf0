"""Predict large training runs: time, memory, interruptions. Reading order:

facts      published tables: the package's own, or those of a folder that the user names
physics    one step of a plan: its time by parts, its memory, the fastest layout
wear       many steps: interruptions, checkpoints, goodput, days to a token budget
scoring    predictions beside published runs: readers, calibration, errors, held-out models
dynamics   how step times and losses of real runs scatter
show       a run in simulated time, as events
realism    two-sample tests: whether a simulated run looks like a real one

`predict_command` and `reports` are `llmlab predict`, `explorer` is the same on a page,
`simulate_command` is `llmlab simulate`. Times are in seconds, sizes in bytes.
"""

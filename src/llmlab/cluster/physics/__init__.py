"""One training step of a plan, from FLOPs and bytes to seconds. To read it, follow the data:

1. `hardware`, `shapes`: what accelerators promise, what models ask for.
2. `plan`, `planfile`: how a step is laid out, and how a user writes that down.
3. `coefficients`: what shares of the peaks are reached; fitted to published runs.
4. `kernels`, `collectives`: the time of one layer, and of one exchange between ranks.
5. `step`, `memory`: the time of a step by its parts, and what an accelerator holds.
6. `search`, `prediction`: the fastest layouts that fit, and all that is said of one.
"""

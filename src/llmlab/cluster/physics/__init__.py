"""One training step of a plan, from FLOPs and bytes to seconds. Reading order:

1. `hardware`, `shapes`: specifications of accelerators, sizes of models.
2. `plan`, `planfile`: the layout of a step, and its file format.
3. `coefficients`: achieved shares of the peaks, fitted to published runs.
4. `kernels`, `collectives`: the time of one layer, and of one exchange between ranks.
5. `step`, `memory`: the time of a step by part, and the memory of an accelerator.
6. `search`, `prediction`: the fastest layouts that fit, and the full prediction for one.
"""

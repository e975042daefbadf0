"""Looks inside a model and its training. Each module stands by itself:

layers             gradients and updates of each layer, step by step
quantisation       what 4-bit quantisation changed
memory             bytes of a run, predicted and measured
noise_scale        signal and noise of a gradient
curvature          eigenvalues of the Hessian
landscape          the loss around a minimum and between two
optimizer_state    what Adam remembers
ordinary_text      text whose loss shows what a pretrained model forgot
"""

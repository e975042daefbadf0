"""Scaling laws on market data: from daily bars to a fitted law, with the leak alarm on.

Reading order: `bars` (sources of daily bars, their manifests), `features` (indicators by tier, and
the alarm that catches those which know the future), `samples` (targets, splits, scaling), `models`
(transformers by parameter budget, and the baselines that they must beat), `study` (runs, search,
tests, the synthetic market whose answer is known), `fits` (the law), `commands`.
"""

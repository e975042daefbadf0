"""Scaling laws on market data: daily bars, features, models, and laws fitted to tables of runs.

Reading order: `bars` (sources of daily bars, their manifests), `features` (indicators), `samples`
(targets, splits, windows), `models` (transformers, baselines, search), `fits` (the law). `commands`
and `options` are `llmlab market`, `fit_command` is `llmlab fit`.
"""

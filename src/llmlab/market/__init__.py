"""Scaling laws on market data: daily bars, and laws fitted to tables of runs.

Reading order: `bars` (sources of daily bars, their manifests), `fits` (the law), `commands`.
"""

"""Diagnose loss curves: what happened in a run, at which step, and on what evidence.

files       `readers` finds the curves of a run: `json_logs`, `tables` (CSV, parquet),
            `printed` (what trainers print), `tensorboard` and `tfrecords`. `readings` is what
            each returns, `names` the many names of steps and losses.
curves      `curve`, `smoothing`: one number over the steps, and the line behind its noise.
diagnosis   `shapes` (plateaus, divergence, overfitting), `spikes`, `stretches` (values that are no
            numbers), `causes` (rules that name a cause), `extrapolation`, `noise`
report      `findings`: what happened, in words; `report`: for a reader, or as JSON
"""

"""Predicted memory beside published peaks."""

import numpy as np

from llmlab.cluster.scoring.memory import measured_memory


def test_published_peaks_are_met_to_within_a_tenth_on_average() -> None:
    errors = np.array([run.error for run in measured_memory()])
    assert len(errors) == 17
    assert np.abs(errors).mean() < 0.1
    assert np.abs(errors).max() < 0.2


def test_a_pipeline_keeps_the_parameters_of_its_stage_whole() -> None:
    runs = [run for run in measured_memory() if run.plan.pp > 1]
    assert runs
    assert all(abs(run.error) < 0.15 for run in runs)

from pathlib import Path

import pytest

from llmlab.experiments.scaling_fit import EXPERIMENT, GRIDS
from llmlab.method.declare.experiment import Trial

BRIEF = {"tables": 2, "resamples": 20, "noise": 0.01}


@pytest.mark.parametrize("runs", GRIDS)
def test_a_run_fills_every_column(tmp_path: Path, runs: str) -> None:
    trial = Trial(EXPERIMENT.name, "smoke", {"runs": runs}, 0, BRIEF, {}, tmp_path)
    metrics = EXPERIMENT.run(trial).metrics
    assert set(metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert metrics["alpha_error"] < 0.1
    assert 0 <= metrics["held"] <= 1

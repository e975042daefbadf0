from pathlib import Path

import pytest

from llmlab.experiments.cluster_realism import EXPERIMENT
from llmlab.method.declare.experiment import Trial


@pytest.mark.parametrize("seen", ["numbers", "text, GPT"])
def test_a_run_fills_every_column(tmp_path: Path, seen: str) -> None:
    condition = {"contender": "fixed sleeps", "seen": seen}
    settings = {"repeats": 1, "steps": 1}
    outcome = EXPERIMENT.run(Trial(EXPERIMENT.name, "smoke", condition, 0, settings, {}, tmp_path))
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert 0 <= outcome.metrics["accuracy"] <= 1
    assert outcome.metrics["runs"] >= 4

"""Every experiment on days and nights runs on what `sleep_needs` makes."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from llmlab.method.declare.catalog import load_experiment
from tests.experiments.sleep_folders import brief

CASES = {
    "sleep_methods": ({"method": "replay"}, {"day_koans": 12, "exam_koans": 12}),
    "sleep_prompting": ({"turns": 2, "hint": True, "examples": 1}, {"exam_koans": 12}),
    "sleep_rates": (
        {"method": "naive", "learning_rate": 1e-3},
        {"day_koans": 12, "exam_koans": 12, "validation_koans": 12},
    ),
    "sleep_replay": ({"replay": 0.2}, {"day_koans": 12, "exam_koans": 12}),
    "sleep_share": ({"method": "share-continual"}, {"day_koans": 1, "exam_koans": 1}),
    "sleep_routing": ({"route": "learned"}, {"day_koans": 2, "exam_koans": 1}),
    "sleep_adapters": ({"basis": "6"}, {"day_koans": 1, "exam_koans": 2}),
    "sleep_cycles": ({"method": "unjudged"}, {"day_koans": 12, "exam_koans": 1, "nights": 1}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_run_fills_every_column(
    name: str, sleep_needs: Mapping[str, Path], tmp_path: Path
) -> None:
    experiment = load_experiment(name)
    condition, settings = CASES[name]
    outcome = brief(experiment, condition, tmp_path, sleep_needs, steps=1, **settings)
    assert set(outcome.metrics) == {metric.name for metric in experiment.metrics}

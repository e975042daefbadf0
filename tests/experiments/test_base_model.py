from pathlib import Path

import torch

from llmlab.experiments.base_model import EXPERIMENT, run
from llmlab.finetune.base import load_base
from llmlab.method.declare.experiment import Trial

SETTINGS = {**EXPERIMENT.budgets["smoke"].settings, "steps": 50, "n_layers": 1, "test_items": 10}


def test_a_run_fills_every_column_and_leaves_the_weights(tmp_path: Path) -> None:
    trial = Trial(EXPERIMENT.name, "smoke", {"d_model": 16}, 0, SETTINGS, {}, tmp_path)
    outcome = run(trial)
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}
    model = load_base(tmp_path, torch.device("cpu"))
    assert model.n_parameters() == outcome.metrics["parameters"]


def test_the_loss_falls(tmp_path: Path) -> None:
    trial = Trial(EXPERIMENT.name, "smoke", {"d_model": 16}, 0, SETTINGS, {}, tmp_path)
    (_, first), *_, (_, last) = run(trial).curves["loss"]
    assert last < first

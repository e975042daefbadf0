from pathlib import Path

import pytest
import torch

from llmlab.experiments.base_model import EXPERIMENT, micro_folders, run
from llmlab.finetune.model.base_model import load_base_model
from llmlab.method.declare.experiment import Outcome, Trial

SETTINGS = {**EXPERIMENT.budgets["smoke"].settings, "steps": 50, "n_layers": 1, "test_items": 10}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """What a run gives, and the folder of what it keeps."""
    kept = tmp_path_factory.mktemp("kept")
    return run(Trial(EXPERIMENT.name, "smoke", {"d_model": 16}, 0, SETTINGS, {}, kept)), kept


def test_a_run_fills_every_column_and_leaves_the_weights(made: tuple[Outcome, Path]) -> None:
    outcome, kept = made
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}
    model = load_base_model(kept, torch.device("cpu"))
    assert model.n_parameters() == outcome.metrics["parameters"]


def test_the_loss_falls(made: tuple[Outcome, Path]) -> None:
    outcome, _ = made
    (_, first), *_, (_, last) = outcome.curves["loss"]
    assert last < first


@pytest.mark.parametrize("scales", [("smoke",), ("smoke", "laptop")])
def test_the_largest_model_that_was_made_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scales: tuple[str, ...]
) -> None:
    (tmp_path / "chapters" / "hypotheses").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for scale in scales:
        (tmp_path / "build" / "results" / scale / "base_model" / "kept").mkdir(parents=True)
    assert [folder.parts[-3] for folder in micro_folders()] == list(reversed(scales))

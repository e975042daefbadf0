from pathlib import Path

import pytest
import torch
from kept_weights import vouch

from llmlab.experiments.base_model import EXPERIMENT, micro_folders, run
from llmlab.finetune.model.base_model import load_base_model
from llmlab.method.declare.experiment import Outcome, Trial
from llmlab.method.errors import LabError

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


def keep(root: Path, scale: str, weights: bytes) -> Path:
    """Leave the weights and the manifest that a run at this scale would leave."""
    kept = root / "build" / "results" / scale / "base_model" / "kept"
    kept.mkdir(parents=True)
    (kept / "base.safetensors").write_bytes(weights)
    vouch(kept)
    return kept


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an empty book, which is the working directory."""
    (tmp_path / "chapters" / "hypotheses").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("scales", [("smoke",), ("smoke", "laptop")])
def test_the_largest_model_that_was_made_comes_first(book: Path, scales: tuple[str, ...]) -> None:
    made = [keep(book, scale, b"weights") for scale in scales]
    assert list(micro_folders()) == list(reversed(made))


@pytest.mark.parametrize("damage", ["cut", "deleted"])
def test_weights_that_are_not_those_that_were_kept_are_refused(book: Path, damage: str) -> None:
    weights = keep(book, "laptop", b"weights") / "base.safetensors"
    weights.unlink() if damage == "deleted" else weights.write_bytes(b"weight")
    with pytest.raises(
        LabError,
        match=r"base\.safetensors is missing, or was cut .*`llmlab run base_model --scale l",
    ):
        list(micro_folders())

from pathlib import Path

import pytest
import torch

from llmlab.experiments.lora_modules import ADAPTERS, EXPERIMENT
from llmlab.finetune.model.base_model import load_base_model, new_base_model, save_base_model
from llmlab.finetune.model.lora import LoraSpec
from llmlab.method.declare.experiment import Trial


def trial_of(adapter: str, base: Path) -> Trial:
    settings = {**EXPERIMENT.budgets["smoke"].settings, "steps": 2, "suite_items": 5}
    condition = {"adapter": adapter, "learning_rate": 8e-3}
    return Trial(EXPERIMENT.name, "smoke", condition, 0, settings, {"base_model": base}, base)


def parameters(adapter: str, base: Path) -> int:
    layers, rank = ADAPTERS[adapter]
    model = load_base_model(base, torch.device("cpu"))
    LoraSpec(rank=rank, alpha=16, target_modules=layers).adapt(model, seed=0)
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def test_a_run_fills_every_column(untrained_base: Path) -> None:
    outcome = EXPERIMENT.run(trial_of("all, rank 8", untrained_base))
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}


def test_the_place_is_what_differs(untrained_base: Path) -> None:
    methods = [EXPERIMENT.describe(trial_of(a, untrained_base)).method for a in ADAPTERS]
    assert len({method.target_modules for method in methods}) == 3
    assert {method.alpha for method in methods} == {16}


@pytest.mark.parametrize("adapter", ["attention, rank 21", "MLP, rank 13"])
def test_a_higher_rank_makes_up_for_fewer_layers(adapter: str, wide_base: Path) -> None:
    same = parameters("all, rank 8", wide_base)
    assert parameters(adapter, wide_base) == pytest.approx(same, rel=0.02)


@pytest.fixture
def wide_base(tmp_path: Path) -> Path:
    """A base model that is wide enough for every rank."""
    save_base_model(new_base_model(d_model=32, n_layers=1, n_heads=2, context=32, seed=0), tmp_path)
    return tmp_path

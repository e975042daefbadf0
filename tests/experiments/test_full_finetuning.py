from pathlib import Path

import pytest
import torch

from llmlab.experiments.full_finetuning import EXPERIMENT, method
from llmlab.finetune.model.base_model import load_base_model
from llmlab.method.declare.experiment import Outcome, Trial


def outcome_of(trained: str, base: Path) -> Outcome:
    settings = {**EXPERIMENT.budgets["smoke"].settings, "steps": 5, "suite_items": 5}
    condition = {"trained": trained, "learning_rate": 1.5e-3}
    needs = {"base_model": base}
    return EXPERIMENT.run(Trial(EXPERIMENT.name, "smoke", condition, 0, settings, needs, base))


def test_a_run_fills_every_column(untrained_base: Path) -> None:
    outcome = outcome_of("full", untrained_base)
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}


def test_all_ways_start_from_the_same_loss(untrained_base: Path) -> None:
    full, adapter = (outcome_of(trained, untrained_base) for trained in ("full", "rank 8"))
    assert full.curves["loss"][0] == pytest.approx(adapter.curves["loss"][0])


@pytest.mark.parametrize(("trained", "all_weights"), [("full", True), ("rank 8", False)])
def test_full_alone_trains_every_weight(
    trained: str, all_weights: bool, untrained_base: Path
) -> None:
    base = load_base_model(untrained_base, torch.device("cpu"))
    model = method(trained).adapt(base, seed=0)
    assert all(weight.requires_grad for weight in model.parameters()) == all_weights

from pathlib import Path

import pytest

from llmlab.experiments.qlora_basic import EXPERIMENT, SWEEP
from llmlab.finetune.model.base_model import new_base_model, save_base_model
from llmlab.method.declare.experiment import Outcome, Trial


def outcome_of(method: str, base: Path) -> Outcome:
    settings = {**EXPERIMENT.budgets["smoke"].settings, "steps": 10, "suite_items": 5}
    condition = {"method": method, "learning_rate": 5e-3}
    return EXPERIMENT.run(
        Trial(EXPERIMENT.name, "smoke", condition, 0, settings, {"base_model": base}, base)
    )


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    base = tmp_path_factory.mktemp("base")
    save_base_model(new_base_model(d_model=64, n_layers=1, n_heads=2, context=32, seed=0), base)
    return {method: outcome_of(method, base) for method in SWEEP["method"]}


def test_a_run_fills_every_column(outcomes: dict[str, Outcome]) -> None:
    for outcome in outcomes.values():
        assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
        assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}


def test_fewer_bits_take_less_memory(outcomes: dict[str, Outcome]) -> None:
    memory = {method: outcome.metrics["weight_memory"] for method, outcome in outcomes.items()}
    assert memory["full"] == memory["lora"] > 2 * memory["qlora"]


def test_an_adapter_takes_less_memory_for_its_state(outcomes: dict[str, Outcome]) -> None:
    memory = {method: outcome.metrics["state_memory"] for method, outcome in outcomes.items()}
    assert memory["full"] > memory["lora"] == memory["qlora"] == memory["qlora-double"]


def test_memory_is_predicted(outcomes: dict[str, Outcome]) -> None:
    assert all(abs(outcome.metrics["memory_error"]) < 0.1 for outcome in outcomes.values())


def test_only_four_bits_change_the_weights(outcomes: dict[str, Outcome]) -> None:
    error = {method: outcome.metrics["quantisation_error"] for method, outcome in outcomes.items()}
    assert error["full"] == error["lora"] == 0
    assert 0.05 < error["qlora"] < error["qlora-double"] < 0.15


def test_the_adapter_starts_from_the_quantised_base(outcomes: dict[str, Outcome]) -> None:
    losses = {method: outcome.curves["loss"][0] for method, outcome in outcomes.items()}
    assert losses["full"] == losses["lora"] != losses["qlora"]

from pathlib import Path

import pytest

from llmlab.experiments.lora_rank import EXPERIMENT
from llmlab.method.declare.experiment import Outcome, Trial


def outcome_at(rank: int, scaling: str, base: Path) -> Outcome:
    settings = {**EXPERIMENT.budgets["smoke"].settings, "steps": 5, "suite_items": 5}
    condition = {"rank": rank, "scaling": scaling, "learning_rate": 5e-3}
    return EXPERIMENT.run(
        Trial(EXPERIMENT.name, "smoke", condition, 0, settings, {"base_model": base}, base)
    )


def test_a_run_fills_every_column(untrained_base: Path) -> None:
    outcome = outcome_at(2, "rslora", untrained_base)
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}


@pytest.mark.parametrize(("rank", "same"), [(1, True), (4, False)])
def test_the_scaling_rules_coincide_at_rank_1_alone(
    rank: int, same: bool, untrained_base: Path
) -> None:
    plain, stabilised = (
        outcome_at(rank, scaling, untrained_base) for scaling in ("alpha/r", "rslora")
    )
    assert (plain.curves == stabilised.curves) == same

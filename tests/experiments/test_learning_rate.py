from pathlib import Path

from llmlab.experiments.learning_rate import EXPERIMENT
from llmlab.method.declare.experiment import Outcome, Trial


def outcome_at(rate: float, base: Path) -> Outcome:
    settings = {**EXPERIMENT.budgets["smoke"].settings, "steps": 20, "suite_items": 5}
    needs = {"base_model": base}
    return EXPERIMENT.run(
        Trial(EXPERIMENT.name, "smoke", {"learning_rate": rate}, 0, settings, needs, base)
    )


def test_a_run_fills_every_column(untrained_base: Path) -> None:
    outcome = outcome_at(1e-3, untrained_base)
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}


def test_the_rate_is_what_differs(untrained_base: Path) -> None:
    slow, fast = (outcome_at(rate, untrained_base).curves["loss"] for rate in (1e-5, 5e-3))
    assert slow[0] == fast[0]
    assert slow[-1][1] > fast[-1][1]

from pathlib import Path

from llmlab.experiments.minimum import EXPERIMENT
from llmlab.method.declare.experiment import Outcome, Trial


def outcome_after(steps: int, base: Path) -> Outcome:
    condition = {"learning_rate": 5e-3, "steps": steps}
    settings, needs = {"suite_items": 5}, {"base_model": base}
    return EXPERIMENT.run(Trial(EXPERIMENT.name, "smoke", condition, 0, settings, needs, base))


def test_a_run_fills_every_column(untrained_base: Path) -> None:
    outcome = outcome_after(2, untrained_base)
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}


def test_a_step_more_is_a_batch_more(untrained_base: Path) -> None:
    short, long = (outcome_after(steps, untrained_base).tokens for steps in (2, 4))
    assert long == 2 * short

from pathlib import Path

from llmlab.experiments.lora_capacity import EXPERIMENT
from llmlab.method.declare.experiment import Trial


def trial_of(facts: int, rank: int, base: Path) -> Trial:
    settings = {**EXPERIMENT.budgets["smoke"].settings, "steps": 2, "suite_items": 5}
    condition = {"facts": facts, "rank": rank, "learning_rate": 1.5e-3}
    return Trial(EXPERIMENT.name, "smoke", condition, 0, settings, {"base_model": base}, base)


def test_a_run_fills_every_column(untrained_base: Path) -> None:
    outcome = EXPERIMENT.run(trial_of(16, 2, untrained_base))
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}


def test_every_fact_is_seen_as_often_at_every_load(untrained_base: Path) -> None:
    few, many = (EXPERIMENT.describe(trial_of(n, 2, untrained_base)) for n in (16, 64))
    exposures = {run.batch_size * run.config.steps / len(run.task.train) for run in (few, many)}
    assert len(exposures) == 1
    assert few.config == many.config

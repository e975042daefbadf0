from pathlib import Path

import pytest

from llmlab.experiments.cluster_goodput import EXPERIMENT
from llmlab.method.declare.experiment import Outcome, Trial


def outcome_of(folder: Path, arrivals: str = "independent", save_s: int = 30) -> Outcome:
    condition = {"arrivals": arrivals, "save_s": save_s}
    settings = EXPERIMENT.budgets["smoke"].settings
    return EXPERIMENT.run(Trial(EXPERIMENT.name, "smoke", condition, 0, settings, {}, folder))


@pytest.mark.parametrize("arrivals", EXPERIMENT.budgets["smoke"].conditions["arrivals"])
def test_a_run_fills_every_column(tmp_path: Path, arrivals: str) -> None:
    outcome = outcome_of(tmp_path, arrivals)
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}


def test_no_interval_keeps_more_than_the_best_in_hindsight(tmp_path: Path) -> None:
    metrics = outcome_of(tmp_path, save_s=300).metrics
    assert metrics["goodput"] <= metrics["goodput_best"]
    assert metrics["regret"] == pytest.approx(metrics["goodput_best"] - metrics["goodput"])


def test_slower_checkpoints_leave_less_time(tmp_path: Path) -> None:
    kept = [outcome_of(tmp_path, save_s=save).metrics["goodput"] for save in (3, 30, 300)]
    assert kept == sorted(kept, reverse=True)


def test_interruptions_come_as_often_as_in_llama_3(tmp_path: Path) -> None:
    counted = outcome_of(tmp_path).metrics["interruptions"]
    assert counted == pytest.approx(466, abs=5 * 466**0.5)  # a Poisson count

import math

from llmlab.finetune.study.measures import METRICS, SKILLS, outcome
from llmlab.finetune.study.tuning import Tuned
from llmlab.gpt.training import Evaluation, History, Point


def tuned(diverged_at: int | None) -> Tuned:
    history = History((Point(0, 64, 2.5, 1.0, 1e-3),), tokens=64, diverged_at=diverged_at)
    grade = Evaluation(loss=0.5, correct=(True, False))
    return Tuned(history, grade, grade, dict.fromkeys(SKILLS, 0.25), forgetting=0.75)


def test_a_completed_run_fills_every_column() -> None:
    result = outcome(tuned(diverged_at=None))
    assert result.status == "completed"
    assert set(result.metrics) == {metric.name for metric in METRICS}
    assert result.metrics["accuracy"] == 0.5
    assert result.metrics["math_after"] == 0.25


def test_a_diverged_run_is_a_row_without_metrics_that_keeps_its_curves() -> None:
    result = outcome(tuned(diverged_at=1))
    assert result.status == "diverged"
    assert all(map(math.isnan, result.metrics.values()))
    assert result.curves["loss"] == [(0, 2.5)]

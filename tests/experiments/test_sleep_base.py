from pathlib import Path

from llmlab.experiments.sleep_base import EXPERIMENT, run
from llmlab.method.declare.experiment import Trial
from llmlab.sleep.study.exams import open_base

SETTINGS = {
    **EXPERIMENT.budgets["smoke"].settings,
    "koans": 36,
    "steps": 10,
    "exam_koans": 24,
}


def test_a_run_fills_every_column_leaves_the_coder_and_learns(tmp_path: Path) -> None:
    outcome = run(Trial(EXPERIMENT.name, "smoke", {"d_model": 16}, 0, SETTINGS, {}, tmp_path))
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert open_base(tmp_path).model.n_parameters() == outcome.metrics["parameters"]
    (_, first), *_, (_, last) = outcome.curves["loss"]
    assert last < first

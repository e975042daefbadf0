from pathlib import Path

from llmlab.experiments import sleep_base
from llmlab.experiments.sleep_adapters import EXPERIMENT
from llmlab.method.declare.experiment import Trial

BASE = {
    **sleep_base.EXPERIMENT.budgets["smoke"].settings,
    "koans": 18,
    "steps": 2,
    "exam_koans": 24,
}
SMALL = {
    **EXPERIMENT.budgets["smoke"].settings,
    "day_koans": 2,
    "exam_koans": 2,
    "steps": 1,
    "rank": 1,
    "library_koans": 1,
    "library_steps": 1,
}


def test_a_run_on_a_base_fills_every_column(tmp_path: Path) -> None:
    folder = tmp_path / "base"
    sleep_base.run(Trial("sleep_base", "smoke", {"d_model": 16}, 0, BASE, {}, folder))
    outcome = EXPERIMENT.run(
        Trial(
            EXPERIMENT.name,
            "smoke",
            {"basis": "6"},
            0,
            SMALL,
            {"sleep_base": folder},
            tmp_path / "keep",
        )
    )
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}

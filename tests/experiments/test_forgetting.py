import math
from pathlib import Path

import pytest

from llmlab.experiments.forgetting import EXPERIMENT, describe, method
from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.model.methods import Full
from llmlab.method.declare.experiment import Trial


def trial(base: Path, name: str = "lora-2", rate: float = 5e-3, replay: float = 0.2) -> Trial:
    settings = {
        **EXPERIMENT.budgets["smoke"].settings,
        "train_items": 40,
        "steps": 4,
        "look_every": 2,
        "look_items": 3,
        "suite_items": 5,
    }
    condition = {"method": name, "learning_rate": rate, "replay": replay}
    return Trial(EXPERIMENT.name, "smoke", condition, 0, settings, {"base_model": base}, base)


def test_a_run_fills_every_column(untrained_base: Path) -> None:
    outcome = EXPERIMENT.run(trial(untrained_base))
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}


def test_forgetting_of_the_skills_adds_up(untrained_base: Path) -> None:
    metrics = EXPERIMENT.run(trial(untrained_base)).metrics
    skills = ("math", "reasoning", "code", "knowledge")
    mean = sum(metrics[f"{skill}_forgetting"] for skill in skills) / 4
    assert metrics["forgetting"] == pytest.approx(mean)


def test_a_diverged_run_has_no_metrics_but_its_curves(untrained_base: Path) -> None:
    outcome = EXPERIMENT.run(trial(untrained_base, rate=math.inf))
    assert outcome.status == "diverged"
    assert all(math.isnan(value) for value in outcome.metrics.values())


def test_methods_go_by_their_names() -> None:
    assert method("full") == Full()
    assert method("lora-32") == LoraSpec(rank=32, alpha=16)


def test_the_share_of_replay_is_in_the_items_to_train_on(untrained_base: Path) -> None:
    assert len(describe(trial(untrained_base, replay=0.0)).task.train) == 40
    assert len(describe(trial(untrained_base, replay=0.2)).task.train) == 50

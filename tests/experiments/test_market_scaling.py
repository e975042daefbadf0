from collections.abc import Callable

import pytest
import torch

from llmlab.experiments.market_scaling import EXPERIMENT
from llmlab.market.features.tiers import tier
from llmlab.market.models.architecture import TOLERANCE, Architecture, within_budget
from llmlab.market.models.transformer import MarketTransformer
from llmlab.method.declare.experiment import Trial

Make = Callable[..., Trial]


def test_a_run_fills_every_column(brief_trial: Make) -> None:
    outcome = EXPERIMENT.run(brief_trial(EXPERIMENT))
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert outcome.metrics["test_days"] > 200


def test_the_plan_at_gpu_scale_has_384_runs() -> None:
    plan = EXPERIMENT.budgets["gpu"]
    assert plan.seeds * len(list(EXPERIMENT.conditions("gpu"))) == 384


@pytest.mark.parametrize("budget", EXPERIMENT.budgets["gpu"].conditions["parameters"])
def test_a_module_of_the_plan_has_the_parameters_of_its_budget(budget: int) -> None:
    shape = within_budget(Architecture(len(tier("c"))), budget)[0]
    with torch.device("meta"):  # two billion weights without their memory
        model = MarketTransformer(shape)
    count = sum(weight.numel() for weight in model.parameters())
    assert count == shape.n_parameters == pytest.approx(budget, rel=TOLERANCE)

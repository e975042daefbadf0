from pathlib import Path

import numpy as np
import pytest

from llmlab.cluster.physics.coefficients import SHARES, Coefficients
from llmlab.cluster.physics.plan import check
from llmlab.experiments.cluster_scaling import EXPERIMENT, GPUS, drawn, layout
from llmlab.method.declare.experiment import Outcome, Trial


def outcome_of(folder: Path, gpus: int, scaling: str, seed: int = 0) -> Outcome:
    condition = {"gpus": gpus, "scaling": scaling}
    return EXPERIMENT.run(Trial(EXPERIMENT.name, "smoke", condition, seed, {}, {}, folder))


def test_a_run_fills_every_column(tmp_path: Path) -> None:
    outcome = outcome_of(tmp_path, 1024, "weak")
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}


@pytest.mark.parametrize("scaling", ["strong", "weak"])
def test_the_smallest_run_is_the_measure_of_efficiency(tmp_path: Path, scaling: str) -> None:
    assert outcome_of(tmp_path, 512, scaling).metrics["efficiency"] == 1


@pytest.mark.parametrize("scaling", ["strong", "weak"])
@pytest.mark.parametrize("gpus", GPUS)
def test_every_plan_can_be_laid_out(gpus: int, scaling: str) -> None:
    plan = layout(gpus, scaling)
    check(plan)
    assert plan.dp * plan.tp * plan.pp == gpus


def test_a_weak_batch_grows_with_the_gpus() -> None:
    assert {layout(gpus, "weak").micro_batches for gpus in GPUS} == {32}


def test_a_strong_batch_stays() -> None:
    assert {layout(gpus, "strong").global_batch for gpus in GPUS} == {2048}


def test_a_seed_draws_other_coefficients() -> None:
    first, same, other = (drawn(Coefficients(), np.random.default_rng(s)) for s in (0, 0, 1))
    assert first == same != other


def test_drawn_shares_stay_below_one() -> None:
    for seed in range(20):
        values = vars(drawn(Coefficients(memory=0.98, link=0.98), np.random.default_rng(seed)))
        shares = [value for name, value in values.items() if name.startswith(SHARES)]
        assert 0 < max(shares) < 1

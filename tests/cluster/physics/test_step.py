from dataclasses import replace

import pytest

from llmlab.cluster.physics.coefficients import Coefficients
from llmlab.cluster.physics.hardware import accelerator
from llmlab.cluster.physics.plan import Plan, check
from llmlab.cluster.physics.prediction import predict, predict_checked
from llmlab.cluster.physics.search import search
from llmlab.cluster.physics.shapes import shape_named
from llmlab.cluster.physics.step import step_time
from llmlab.method.errors import LabError

PLAN = Plan(shape_named("Llama 3.1 8B"), accelerator("H100"), 64, 8192, 128, sharding="optimizer")


def test_parts_add_up_to_the_step() -> None:
    found = predict(PLAN)
    assert sum(found.shares().values()) == pytest.approx(1)


def test_no_step_is_faster_than_the_peak() -> None:
    assert 0 < predict(PLAN).mfu < 1


def test_full_recomputation_costs_a_forward_pass() -> None:
    c = Coefficients()
    plain, again = step_time(PLAN, c), step_time(replace(PLAN, recompute="full"), c)
    assert again.recompute == pytest.approx(plain.matmul / 3, rel=0.4)


def test_more_micro_batches_shrink_the_bubble() -> None:
    c = Coefficients()
    deep = replace(PLAN, pp=8)
    few, many = step_time(deep, c), step_time(replace(deep, global_batch=512), c)
    assert many.bubble / many.total < few.bubble / few.total


def test_a_plan_that_does_not_factor_the_gpus_is_refused() -> None:
    with pytest.raises(LabError, match="does not divide 64 GPUs"):
        check(replace(PLAN, tp=3))


def test_a_plan_that_does_not_fit_names_the_excess_and_the_nearest_that_does() -> None:
    plan = replace(PLAN, shape=shape_named("Llama 3.1 70B"), tp=4, pp=2, global_batch=256)
    with pytest.raises(LabError, match=r"GB more than it has; the nearest that fits has"):
        predict_checked(plan)


def test_the_search_finds_a_plan_that_fits() -> None:
    found = search(replace(PLAN, gpus=16, global_batch=32), Coefficients(), keep=1)
    assert predict(found.plans[0].plan).fits


def test_an_unknown_gpu_is_refused_with_the_list() -> None:
    with pytest.raises(LabError, match="A100-40GB"):
        accelerator("Z9")

from dataclasses import replace

import pytest

from llmlab.cluster.physics.coefficients import Coefficients
from llmlab.cluster.physics.collectives import Group, dispatch
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


def test_recomputation_by_operation_repeats_keys_output_and_up_of_a_llama() -> None:
    repeated = 4096 * (1024 + 4096 + 14336)
    whole = 4096 * (4096 + 2 * 1024 + 4096 + 3 * 14336)
    assert PLAN.shape.every_second_share == pytest.approx(repeated / whole)


def test_pytorch_never_repeats_the_last_product_of_a_layer() -> None:
    assert PLAN.shape.last_share == pytest.approx(0.27, abs=0.01)
    again = replace(PLAN, recompute="full", early_stop=True)
    found = step_time(again, Coefficients())
    others = found.attention / 3.5 + found.elementwise / 3
    head = 4096 * 128256 / PLAN.shape.matmul_weights
    products = (1 - head) * found.matmul / 3
    assert found.recompute - others == pytest.approx((1 - 0.27) * products, rel=0.03)


def test_asynchronous_tensor_parallelism_hides_communication() -> None:
    c, split = Coefficients(), replace(PLAN, tp=8)
    hidden = step_time(replace(split, async_tensor=True), c)
    assert 0 < hidden.tensor < step_time(split, c).tensor


def test_adapters_alone_need_no_gradients_of_the_weights() -> None:
    c = Coefficients()
    whole, frozen = step_time(PLAN, c), step_time(replace(PLAN, adapters=True), c)
    assert frozen.matmul == pytest.approx(whole.matmul * 2 / 3)
    assert (frozen.data, frozen.optimizer) == (0, 0)


def test_a_token_crosses_to_another_domain_once_for_all_its_experts() -> None:
    c, far = Coefficients(), Group(size=16, stride=1)
    one, many = (dispatch(1e9, experts, far, PLAN.accelerator, c) for experts in (1, 64))
    assert many < 4 * one


def test_no_stage_but_the_last_waits_for_the_vocabulary() -> None:
    c, deep = Coefficients(), replace(PLAN, pp=8)
    wordy = replace(deep, shape=replace(deep.shape, vocab=2 * deep.shape.vocab))
    few, many = step_time(deep, c), step_time(wordy, c)
    assert many.matmul > few.matmul
    assert many.bubble == pytest.approx(few.bubble, rel=1e-3)


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


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("a100-sxm4-40gb", "A100-40GB"),
        ("GB200 NVL72", "GB200"),
        ("TPU v5p", "TPU-v5p"),
        ("H100-96GB-HBM2e-500W", "H100-96GB-HBM2e-500W"),
    ],
)
def test_a_gpu_is_found_as_people_write_it(written: str, meant: str) -> None:
    assert accelerator(written).name == meant


@pytest.mark.parametrize("written", ["H100 94GB", "NVIDIA", "A100 80GB PCIe"])
def test_another_memory_or_form_is_another_gpu(written: str) -> None:
    with pytest.raises(LabError, match="there is no GPU"):
        accelerator(written)


def test_an_unknown_gpu_is_refused_with_the_list() -> None:
    with pytest.raises(LabError, match="A100-40GB"):
        accelerator("Z9")

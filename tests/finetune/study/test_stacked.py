from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, get_peft_model

from llmlab.finetune.model.base_model import load_base_model
from llmlab.finetune.model.lora import LoraLinear, add_lora
from llmlab.finetune.study.stacked import fine_tune_stack, new_stack, train_stack
from llmlab.finetune.study.tuning import Tuning, fine_tune, tuned_model
from llmlab.finetune.tasks.batches import encode, epochs
from llmlab.gpt.training import History, train

EXPLODES = 1e30


def losses(histories: Sequence[History]) -> list[list[float]]:
    return [[point.loss for point in history.points] for history in histories]


def close(values: Sequence[Sequence[float]]) -> list[object]:
    return [pytest.approx(row, rel=1e-4) for row in values]


def trained(tunings: Sequence[Tuning]) -> list[History]:
    return train_stack(new_stack(tunings), tunings)


def test_a_stack_gives_what_separate_runs_give(tunings: list[Tuning]) -> None:
    together = fine_tune_stack(tunings)
    apart = [fine_tune(tuning) for tuning in tunings]
    for one, other in zip(together, apart, strict=True):
        for name in ("loss", "gradient_norm", "learning_rate"):
            expected = [value for _, value in other.history.curve(name)]
            assert [v for _, v in one.history.curve(name)] == pytest.approx(expected, rel=1e-4)
        assert one.history.tokens == other.history.tokens
        for name in ("validation", "test"):
            assert getattr(one, name).loss == pytest.approx(getattr(other, name).loss, rel=1e-4)
            assert getattr(one, name).correct == getattr(other, name).correct
        assert one.suites == other.suites
        assert one.forgetting == pytest.approx(other.forgetting)


def peft_losses(tuning: Tuning) -> list[float]:
    """The losses of the same run with the adapter of `peft`, from the same start."""
    cpu, spec = torch.device("cpu"), tuning.method
    config = LoraConfig(
        r=spec.rank,
        lora_alpha=spec.alpha,
        use_rslora=spec.scaling == "rslora",
        target_modules=["qkv", "out", "up", "down"],
    )
    theirs = get_peft_model(load_base_model(tuning.base, cpu), config)
    ours = add_lora(load_base_model(tuning.base, cpu), spec, tuning.seed)
    copies = [module for module in theirs.modules() if hasattr(module, "lora_A")]
    layers = [module for module in ours.modules() if isinstance(module, LoraLinear)]
    for module, layer in zip(copies, layers, strict=True):
        module.lora_A["default"].weight.data.copy_(layer.a_RI)
    batches = epochs(encode(tuning.task.train), tuning.batch_size, tuning.seed)
    return [point.loss for point in train(theirs, batches, tuning.config).points]


def test_a_stack_equals_separate_runs_of_peft_loss_by_loss(tunings: list[Tuning]) -> None:
    expected = [peft_losses(tuning) for tuning in tunings]
    assert losses(trained(tunings)) == close(expected)
    assert all(row[-1] != pytest.approx(row[0], rel=1e-2) for row in expected)


def test_a_stack_equals_separate_runs_in_bfloat16_too(tunings: list[Tuning]) -> None:
    half = [
        replace(t, config=replace(t.config, precision="bfloat16", steps=5)) for t in tunings[:2]
    ]
    apart = losses([tuned_model(tuning)[1] for tuning in half])
    assert losses(trained(half)) == [pytest.approx(row, rel=1e-2) for row in apart]


def with_rate(tuning: Tuning, rate: float) -> Tuning:
    return replace(tuning, config=replace(tuning.config, learning_rate=rate))


def test_a_diverging_adapter_disturbs_no_other(tunings: list[Tuning]) -> None:
    diverging = [tunings[0], with_rate(tunings[1], EXPLODES), *tunings[2:]]
    calm, storm = trained(tunings), trained(diverging)
    assert storm[1].diverged_at == fine_tune(diverging[1]).history.diverged_at
    assert storm[1].diverged_at is not None
    for job in (0, 2, 3):
        assert storm[job] == calm[job]  # to the last bit


def test_a_diverged_adapter_stays_as_it_was(tunings: list[Tuning]) -> None:
    diverging = with_rate(tunings[1], EXPLODES)
    stack = new_stack([tunings[0], diverging])
    train_stack(stack, [tunings[0], diverging])
    model, _ = tuned_model(diverging)
    for name, (a_KRI, b_KRO) in stack.adapters().items():
        layer = model.get_submodule(name)
        torch.testing.assert_close(a_KRI[1], layer.a_RI, rtol=1e-2, atol=1e-6)
        torch.testing.assert_close(b_KRO[1], layer.b_RO, rtol=1e-2, atol=1e-6)


def test_a_run_without_its_neighbours_is_the_same(tunings: list[Tuning]) -> None:
    assert losses(trained(tunings[:2])) == close(losses(trained(tunings))[:2])


def test_a_stack_whose_adapters_all_diverge_ends(tunings: list[Tuning]) -> None:
    exploding = [with_rate(tuning, EXPLODES) for tuning in tunings]
    assert all(history.diverged_at is not None for history in trained(exploding))


def test_padding_stays_zero(tunings: list[Tuning]) -> None:
    stack = new_stack(tunings)
    train_stack(stack, tunings)
    adapters = stack.adapters()
    assert adapters
    for a_KRI, b_KRO in adapters.values():
        assert a_KRI.shape[:2] == b_KRO.shape[:2] == (4, 8)
        assert not a_KRI[0, 1:].any()
        assert not b_KRO[0, 1:].any()
        assert b_KRO[0, :1].any()

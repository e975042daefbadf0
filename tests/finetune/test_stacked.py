from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model

from llmlab.experiments.learning_rate import EXPERIMENT as LEARNING_RATE
from llmlab.finetune import stacked
from llmlab.finetune.base import load_base, new_base, save_base
from llmlab.finetune.batches import encode, epochs
from llmlab.finetune.lora import LoraLinear, LoraSpec, add_lora
from llmlab.finetune.methods import Full
from llmlab.finetune.skills import Item
from llmlab.finetune.stacked import (
    can_stack,
    fine_tune_stack,
    memory_of_one,
    new_stack,
    run_together,
    train_stack,
)
from llmlab.finetune.tuning import Task, Tuning, fine_tune, tuned_model
from llmlab.gpt.training import History, TrainConfig, train
from llmlab.method.declare.experiment import Trial

ITEMS = tuple(Item(f"{a}+{b}=", str(a + b)) for a in range(5) for b in range(5))
SPECS = (
    LoraSpec(rank=1, alpha=16),
    LoraSpec(rank=8, alpha=16, scaling="rslora"),
    LoraSpec(rank=4, alpha=2),
    LoraSpec(rank=8, alpha=16),
)
RATES = (1e-3, 5e-3, 2e-2, 1e-2)
EXPLODES = 1e30


@pytest.fixture
def base(tmp_path: Path) -> Path:
    save_base(new_base(d_model=32, n_layers=2, n_heads=2, context=32, seed=0), tmp_path)
    return tmp_path


@pytest.fixture
def tunings(base: Path) -> list[Tuning]:
    """Runs that differ in rank, scaling, rate, decay, clipping and seed."""
    return [
        Tuning(
            base=base,
            task=Task(train=ITEMS, validation=ITEMS[:7], test=ITEMS[7:]),
            method=spec,
            config=TrainConfig(
                learning_rate=rate,
                steps=25,
                log_every=1,
                weight_decay=0.1 * seed,
                clip=1.0 / (1 + seed),
                warmup_share=0.1 * seed,
            ),
            batch_size=4,
            seed=seed,
            suite_items=6,
        )
        for seed, (spec, rate) in enumerate(zip(SPECS, RATES, strict=True))
    ]


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
    theirs = get_peft_model(load_base(tuning.base, cpu), config)
    ours = add_lora(load_base(tuning.base, cpu), spec, tuning.seed)
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
    for a_KRI, b_KRO in stack.adapters().values():
        assert a_KRI.shape[:2] == b_KRO.shape[:2] == (4, 8)
        assert not a_KRI[0, 1:].any()
        assert not b_KRO[0, 1:].any()
        assert b_KRO[0, :1].any()


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 5},
        {"suite_items": 7},
        {"base": Path("another")},
        {"task": Task(train=ITEMS[:9], validation=ITEMS, test=ITEMS)},
        {"config": TrainConfig(learning_rate=1e-3, steps=26)},
        {"config": TrainConfig(learning_rate=1e-3, steps=25, precision="bfloat16")},
        {"config": TrainConfig(learning_rate=1e-3, steps=25, accumulate=2)},
        {"method": LoraSpec(rank=1, alpha=16, target_modules=("up",))},
        {"method": Full()},
    ],
)
def test_runs_that_differ_in_more_than_their_adapters_share_no_stack(
    tunings: list[Tuning], change: dict[str, object]
) -> None:
    assert can_stack(tunings[0], tunings[1])
    assert not can_stack(tunings[0], replace(tunings[0], **change))


def test_more_sequences_keep_more_memory(tunings: list[Tuning]) -> None:
    one, four = (memory_of_one(replace(tunings[1], batch_size=size)) for size in (4, 16))
    activations = (four - one) / 12
    adapters = 7 * new_stack(tunings[1:2]).weights_KP.nbytes
    assert one == pytest.approx(adapters + 4 * activations, rel=0.1)


def learning_rate_trials(base: Path) -> list[Trial]:
    settings = {**LEARNING_RATE.budgets["smoke"].settings, "steps": 5, "suite_items": 5}
    settings["train_items"] = 50
    return [
        Trial(
            "learning_rate",
            "smoke",
            {"learning_rate": rate},
            seed,
            settings,
            {"base_model": base},
            base,
        )
        for rate in (1e-3, 1e-2)
        for seed in (0, 1)
    ]


def test_the_trials_of_an_experiment_run_together_as_they_run_apart(base: Path) -> None:
    trials = learning_rate_trials(base)
    ((members, run),) = run_together(LEARNING_RATE, trials)
    assert members == trials
    for trial, together in zip(trials, run(), strict=True):
        apart = LEARNING_RATE.run(trial)
        assert together.metrics == pytest.approx(apart.metrics, rel=1e-4)
        assert together.curves["loss"] == [
            (step, pytest.approx(loss, rel=1e-4)) for step, loss in apart.curves["loss"]
        ]
        assert (together.status, together.tokens) == (apart.status, apart.tokens)


def sweep_of(tunings: list[Tuning]):
    """The learning-rate experiment with these runs in place of its own, by seed."""
    return replace(
        LEARNING_RATE,
        describe=lambda trial: tunings[trial.seed],
        run=lambda trial: f"run {trial.seed} alone",
    )


def groups(tunings: list[Tuning]) -> list[list[int]]:
    trials = [Trial("learning_rate", "smoke", {}, n, {}, {}, Path()) for n in range(len(tunings))]
    return [[trial.seed for trial in those] for those, _ in run_together(sweep_of(tunings), trials)]


def test_runs_that_share_no_stack_run_in_stacks_of_their_own(tunings: list[Tuning]) -> None:
    longer = [replace(t, config=replace(t.config, steps=30)) for t in tunings[:2]]
    assert groups([longer[0], *tunings, longer[1]]) == [[0, 5], [1, 2, 3, 4]]


def test_other_methods_run_one_by_one_after_the_stacks(tunings: list[Tuning]) -> None:
    full = replace(tunings[0], method=Full())
    assert groups([full, *tunings, full]) == [[1, 2, 3, 4], [0], [5]]
    *_, (trials, run) = run_together(sweep_of([full]), learning_rate_trials(Path())[:1])
    assert (len(trials), run()) == (1, ["run 0 alone"])


def test_a_stack_too_large_for_the_memory_is_cut_evenly(
    tunings: list[Tuning], monkeypatch: pytest.MonkeyPatch
) -> None:
    three = 3.5 * memory_of_one(tunings[1]) / stacked.MEMORY_SHARE
    monkeypatch.setattr(stacked, "memory", lambda device: three)
    assert groups(tunings) == [[0, 2], [1, 3]]

from dataclasses import replace
from pathlib import Path

import pytest

from llmlab.experiments.learning_rate import EXPERIMENT as LEARNING_RATE
from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.model.methods import Full
from llmlab.finetune.study import sweeps
from llmlab.finetune.study.stacked import new_stack
from llmlab.finetune.study.sweeps import can_stack, memory_per_run, run_together
from llmlab.finetune.study.tuning import Tuning
from llmlab.finetune.tasks.skills import Item
from llmlab.finetune.tasks.task import Task
from llmlab.gpt.training import TrainConfig
from llmlab.method.declare.experiment import Trial

ITEMS = tuple(Item(f"{a}+{b}=", str(a + b)) for a in range(5) for b in range(5))


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
    one, four = (memory_per_run(replace(tunings[1], batch_size=size)) for size in (4, 16))
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


def test_whole_models_share_a_stack_of_their_own(tunings: list[Tuning]) -> None:
    full = replace(tunings[0], method=Full())
    assert groups([full, *tunings, full]) == [[0, 5], [1, 2, 3, 4]]


def test_runs_that_cannot_be_stacked_run_one_by_one_after_the_stacks(
    tunings: list[Tuning],
) -> None:
    alone = replace(tunings[0], config=replace(tunings[0].config, accumulate=2))
    assert groups([alone, *tunings, alone]) == [[1, 2, 3, 4], [0], [5]]
    *_, (trials, run) = run_together(sweep_of([alone]), learning_rate_trials(Path())[:1])
    assert (len(trials), run()) == (1, ["run 0 alone"])


def test_a_stack_too_large_for_the_memory_is_cut_evenly(
    tunings: list[Tuning], monkeypatch: pytest.MonkeyPatch
) -> None:
    three = 3.5 * memory_per_run(tunings[1]) / sweeps.MEMORY_SHARE
    monkeypatch.setattr(sweeps, "available_memory", lambda device: three)
    assert groups(tunings) == [[0, 2], [1, 3]]


def test_the_memory_of_a_stack_is_worked_out_once_for_its_largest_rank(
    tunings: list[Tuning], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Tuning] = []
    monkeypatch.setattr(
        sweeps, "memory_per_run", lambda tuning: asked.append(tuning) or memory_per_run(tuning)
    )
    groups(tunings)
    (largest,) = asked
    assert largest.method.rank == max(tuning.method.rank for tuning in tunings)

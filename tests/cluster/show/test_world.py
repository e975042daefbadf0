"""Runs on small clusters, played to their end."""

import random
from dataclasses import dataclass

import numpy as np
import pytest

from llmlab.cluster.dynamics.library import loss_dynamics, real_runs, step_dynamics
from llmlab.cluster.dynamics.steps import StepDynamics
from llmlab.cluster.show.events import (
    Event,
    GpuTable,
    Message,
    RunEnd,
    RunStart,
    Saved,
    Step,
    Validation,
)
from llmlab.cluster.show.fleet import Fleet
from llmlab.cluster.show.scenario import Scenario, cast
from llmlab.cluster.show.world import World


def world(**fields: object) -> World:
    scenario = Scenario(**{"model": "1B", "gpus": 16, "steps": 600} | fields)
    run = next(run for run in real_runs() if run.has_losses)
    casting = cast(scenario, random.Random(0))
    return World(scenario, casting, step_dynamics((run,))[0], loss_dynamics((run,))[0], seed=3)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return list(world(checkpoint_every=200, hours_between=0.05, warnings_per_hour=400).events())


def test_a_run_goes_from_its_start_to_its_summary_in_order_of_time(events: list[Event]) -> None:
    assert isinstance(events[0], RunStart)
    assert isinstance(events[-1], RunEnd)
    times = [event.at for event in events]
    assert times == sorted(times)


def test_a_run_trains_validates_saves_and_exports(events: list[Event]) -> None:
    kinds = {type(event) for event in events}
    assert {Step, Validation, Saved, Message} <= kinds
    saves = [event for event in events if isinstance(event, Saved)]
    assert [event.is_export for event in saves] == [False, False, False, True]
    assert [event.step for event in saves] == [200, 400, 600, 600]


def test_steps_count_up_except_after_a_rollback_to_the_last_checkpoint(events: list[Event]) -> None:
    saved, last, falls = 0, 0, 0
    for event in events:
        if isinstance(event, Saved):
            saved = event.step
        if isinstance(event, Step):
            falls += event.step != last + 1
            assert event.step in (last + 1, saved + 1)
            last = event.step
    assert falls > 0
    assert last == 600


@pytest.mark.parametrize(
    "words",
    [
        "world size 16",
        "NCCL version",
        "tokenizer: ",
        "shards found",
        "ECC: ",
        "slow rank ",
        "watchdog caught collective operation timeout",
        "loss spike at step ",
        "rolling back to step ",
        "replaced by node-",
        "restart from checkpoint step-",
    ],
)
def test_a_run_starts_up_and_meets_every_mishap(troubled: str, words: str) -> None:
    assert words in troubled


@pytest.fixture(scope="module")
def troubled() -> str:
    """All that a run says in which much goes wrong."""
    run = world(checkpoint_every=20, hours_between=0.01, warnings_per_hour=400, spikes_per_hour=60)
    return "\n".join(event.text for event in run.events() if isinstance(event, Message))


def test_the_gpus_that_are_not_shown_are_summed_up_by_their_mean() -> None:
    tables = [one for one in world(gpus=512).events() if isinstance(one, GpuTable)]
    busy = tables[1:]
    assert {(len(one.rows), one.others) for one in busy} == {(16, 496)}
    alone = np.std([one.rows[0].power_w for one in busy])
    assert np.std([one.rest.power_w for one in busy]) < alone / 4


def test_no_gpu_holds_more_than_it_has() -> None:
    full = world(model="8B", gpus=64, steps=40)
    assert full.prediction.memory.total > 0.99 * full.plan.accelerator.memory
    tables = [one for one in full.events() if isinstance(one, GpuTable)]
    assert max(row.memory_gb for one in tables for row in one.rows) <= tables[0].memory_gb


def test_the_loss_falls(events: list[Event]) -> None:
    losses = [event.loss for event in events if isinstance(event, Step)]
    assert losses[-1] < 0.7 * losses[0]


def test_a_run_that_breaks_faster_than_it_saves_ends() -> None:
    harsh = world(hours_between=1e-4, spikes_per_hour=3600.0, checkpoint_every=50)
    for _ in harsh.strides():
        pass
    assert harsh.run.step == 600
    assert harsh.run.interruptions > 0


def test_what_is_shown_does_not_change_what_happens() -> None:
    shown, unseen = world(), world()
    for _ in shown.events():
        pass
    for _ in unseen.strides():
        pass
    assert (shown.env.now, shown.run) == (unseen.env.now, unseen.run)


@dataclass(frozen=True)
class Calm:
    """Noise that is none."""

    def draw(self, length: int, _: np.random.Generator) -> np.ndarray:
        return np.zeros(length)


def test_steps_scatter_as_in_the_run_that_they_follow_with_its_stalls() -> None:
    """Such draws are what classifiers are asked to tell from real runs."""
    shown = world(steps=63, spikes_per_hour=0.0)
    shown.step_dynamics = StepDynamics(
        "calm", np.zeros(3), Calm(), np.full(2, np.log(2.0)), places=np.array([4, 9]), length=10
    )
    steps = [event.seconds for event in shown.events() if isinstance(event, Step)]
    relative = np.array(steps[3:]).reshape(-1, 10) / shown.prediction.seconds
    assert np.sort(relative) == pytest.approx(np.tile([1.0] * 8 + [2.0] * 2, (6, 1)))
    assert (relative[:, :5] == relative[:, 5:]).all()  # on the schedule of the run


def test_a_slow_rank_is_the_slowest_more_often_than_another() -> None:
    fleet = Fleet(64, np.random.default_rng(1))
    found = [fleet.slowest(draw) for draw in np.linspace(0, 0.999, 500)]
    assert max(set(found), key=found.count) == int(fleet.speeds.argmax())

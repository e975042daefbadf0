import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmlab.gpt.alarms import Alarm, OverfittingAlarm, SpikeAlarm


def rung(alarm: SpikeAlarm | OverfittingAlarm, losses: list[float]) -> list[Alarm]:
    return [seen for step, loss in enumerate(losses) if (seen := alarm.see(step, loss))]


def falling(noise: list[float], start: int = 0) -> list[float]:
    """200 steps of a curve such as training gives: 7 nats, then slower and slower down to 2."""
    steps = range(start, start + 200)
    return [2 + 5 / (1 + step / 30) + noise[step % len(noise)] for step in steps]


NOISE = st.lists(st.floats(-0.14, 0.14), min_size=7, max_size=60)


@settings(max_examples=20)
@given(NOISE)
def test_the_noise_of_batches_rings_nothing(noise: list[float]) -> None:
    assert rung(SpikeAlarm(), falling(noise)) == []


@settings(max_examples=20)
@given(NOISE, st.integers(60, 180), st.integers(1, 20))
def test_a_spike_rings_once_where_it_begins(noise: list[float], at: int, width: int) -> None:
    losses = falling(noise, start=600)
    losses[at : at + width] = [loss + 3 for loss in losses[at : at + width]]
    assert [alarm.step for alarm in rung(SpikeAlarm(), losses)] == [at]


def test_the_spike_alarm_says_how_far_the_loss_jumped() -> None:
    (alarm,) = rung(SpikeAlarm(window=5), [2.0] * 5 + [6.5])
    assert alarm.kind == "spike"
    assert "jumped to 6.50 from about 2.00" in alarm.message


def test_nothing_rings_before_there_is_a_window_to_compare_with() -> None:
    assert rung(SpikeAlarm(), [2.0] * 20 + [9.0] + [2.0] * 20) == []


def test_a_second_spike_rings_again_after_a_window() -> None:
    losses = [2.0] * 60 + [5.0] + [2.0] * 60 + [5.0] + [2.0] * 10
    assert [alarm.step for alarm in rung(SpikeAlarm(), losses)] == [60, 121]


def test_overfitting_rings_once_and_names_the_minimum() -> None:
    losses = [4.0, 3.0, 2.5, 2.6, 2.7, 2.8, 2.9, 3.0]
    (alarm,) = rung(OverfittingAlarm(), losses)
    assert (alarm.step, alarm.kind) == (5, "over-fitting")
    assert "2.500 at step 2" in alarm.message


@pytest.mark.parametrize(
    "losses",
    [
        [4.0, 3.0, 2.9, 2.91, 2.9, 2.91, 2.92, 2.91],  # wobbles within a hundredth
        [4.0, 3.0, 3.2, 3.3, 2.9, 3.1, 3.2, 2.8],  # recovers in time
        [4.0 - 0.1 * step for step in range(20)],
    ],
)
def test_a_model_that_still_learns_does_not_overfit(losses: list[float]) -> None:
    assert rung(OverfittingAlarm(), losses) == []

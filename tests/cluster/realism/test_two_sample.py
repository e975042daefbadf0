"""The two-sample test tells what differs, and only that."""

import numpy as np
import pytest

from llmlab.cluster.dynamics.library import RealRun
from llmlab.cluster.realism.contenders import CONTENDERS, Series, log_unit, real, uniform_sleeps
from llmlab.cluster.realism.judges import boosting, sequence_model
from llmlab.cluster.realism.two_sample import Contest, accuracy, groups, system_of
from llmlab.cluster.realism.views import EVENTS, LINES, RECORDS, VIEWS, gaps, numbers, text


def made(seed: int, spread: float = 0.01) -> RealRun:
    """A run of lognormal steps, logged in milliseconds."""
    rng = np.random.default_rng(seed)
    return RealRun(
        name=f"made-{seed}",
        benchmark="made",
        gpus=8,
        seconds=np.round(2 * np.exp(spread * rng.standard_normal(256)), 3),
        after_pause=np.zeros(256, dtype=bool),
        losses=3 - 0.002 * np.arange(256) + 0.02 * rng.standard_normal(256),
        steps_covered=1,
    )


RUNS = [made(seed) for seed in range(6)]


@pytest.mark.parametrize("name", CONTENDERS)
def test_every_contender_draws_as_many_records_as_the_run_has(name: str) -> None:
    drawn = CONTENDERS[name](RUNS[0], np.random.default_rng(0))
    assert drawn.seconds.shape == drawn.losses.shape == (256,)
    assert np.isfinite(drawn.losses).all()
    assert drawn.seconds == pytest.approx(np.round(drawn.seconds, 3), abs=1e-9)


@pytest.mark.parametrize(("unit", "covered"), [(1.0, 1), (0.001, 1), (0.001, 32)])
def test_the_unit_of_a_log_is_found(unit: float, covered: int) -> None:
    seconds = np.arange(100, 164) * unit / covered
    run = RealRun("run", "made", 8, seconds, seconds < 0, seconds, covered)
    assert log_unit(run) == pytest.approx(unit / covered)


def test_windows_are_rows_of_finite_features_where_losses_are() -> None:
    series = real(RUNS[0], np.random.default_rng(0))
    assert numbers(series).shape[0] == 256 // RECORDS
    assert np.isfinite(numbers(series)).all()
    assert np.isfinite(gaps(series)).all()
    assert len(gaps(series)) >= 256 * 0.1 // EVENTS
    assert [one.count("\n") for one in text(series)] == [LINES] * (256 // LINES)


@pytest.mark.parametrize("name", VIEWS)
def test_no_view_shows_how_fast_a_run_is(name: str) -> None:
    series = real(RUNS[0], np.random.default_rng(0))
    slower = VIEWS[name](Series(8 * series.seconds, series.losses))
    for one, other in zip(VIEWS[name](series), slower, strict=True):
        same = one == other if isinstance(one, str) else one == pytest.approx(other, nan_ok=True)
        assert same


def test_naive_sleeps_are_caught_and_a_run_is_not_told_from_itself() -> None:
    caught = accuracy(Contest(uniform_sleeps, numbers, boosting), RUNS[:2], RUNS[2:], 1, seed=0)
    assert caught == 1.0

    def copied(run: RealRun, rng: np.random.Generator) -> Series:
        return real(run, rng)

    told = accuracy(Contest(copied, numbers, boosting), RUNS[:2], RUNS[2:], 4, seed=0)
    assert told == pytest.approx(0.5, abs=0.25)


def test_the_small_gpt_learns_to_read_a_difference() -> None:
    texts = ["1.1\n", "0.9\n"] * 40
    is_real = np.tile([True, False], 40)
    assert sequence_model(60)(texts, is_real, ["1.1\n", "0.9\n"], 0).tolist() == [True, False]


def test_a_system_lies_in_one_group_and_no_run_is_lost() -> None:
    dealt = groups(10)
    systems = [{system_of(run) for run in group} for group in dealt]
    assert sum(map(len, systems)) == len(set.union(*systems))
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 2

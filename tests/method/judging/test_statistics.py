"""Statistics for few seeds: known values and properties that hold for all samples."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from statsmodels.stats.power import TTestPower

from llmlab.method.judging import means, statistics

values = arrays(float, st.integers(3, 12), elements=st.floats(-100, 100, width=32))
alphas = st.sampled_from([0.01, 0.05, 0.1])


@given(values, st.floats(-100, 100), alphas)
def test_the_interval_excludes_the_bound_exactly_if_the_test_does(sample, bound, alpha):
    assume(not statistics.is_constant(sample))
    interval = statistics.mean_interval(sample, 1 - 2 * alpha)
    assume(abs(interval.low - bound) > 1e-6)
    assert (interval.low > bound) == (statistics.t_above(sample, bound) < alpha)


@given(values, st.floats(-100, 100))
def test_the_t_test_is_that_of_scipy_bit_for_bit(sample, bound):
    assume(not statistics.is_constant(sample))
    peer = stats.ttest_1samp(sample, bound, alternative="greater")
    assert statistics.t_above(sample, bound) == peer.pvalue


def test_equal_values_say_nothing_to_a_t_test():
    assert statistics.t_above([1.0, 1.0, 1.0], 0.0) == 1
    assert statistics.skewed_t_above([1.0, 1.0, 1.0], 0.0) == 1


def test_a_skewed_outcome_needs_a_larger_t():
    sample = [1.0, 1.2, 0.9, 1.4, 1.1]
    assert statistics.t_above(sample, 0.8) < statistics.skewed_t_above(sample, 0.8) < 0.2


def test_sign_flips_of_a_worked_example():
    # of eight sums only 1 + 2 + 3 and, without the 1, -1 + 2 + 3 are at least 4
    assert statistics.sign_flip_above([1.0, 2.0, 3.0], 0.0) == 1 / 8
    assert statistics.sign_flip_above([-1.0, 2.0, 3.0], 0.0) == 2 / 8


def test_two_shares_of_the_same_seeds_of_worked_examples():
    # all of 8 pairs differ in favour, which is most likely where none favours the other side
    assert statistics.paired_shares_above([1] * 8, 0.5) == pytest.approx(0.75**8)
    assert statistics.paired_shares_above([1] * 8, 0.0) == pytest.approx(0.5**8)
    assert statistics.paired_shares_above([0] * 8, 0.0) == 1


def test_a_mean_at_its_lowest_value_leaves_no_room_for_a_value_above():
    assert statistics.bounded_above([0.0, 0.1], 0.0, low=0.0) == 0.0
    assert statistics.bounded_above([0.0, 0.0], 0.0, low=0.0) == 1.0


def test_the_interval_of_equal_correlations_ends_short_of_their_range():
    found = means.test_of_correlations().interval(np.full(10, 0.95), 0.05)
    assert -1 < found.low < 0.95 < found.high < 1


def test_a_bounded_mean_of_a_worked_example():
    # gamblers with a quarter, a half, three quarters and all at stake win each time: 1 at odds 1
    fortunes = np.array([1.25, 1.5, 1.75, 2.0]) ** 6
    assert statistics.bounded_above([1.0] * 6, 0.5, low=0.0) == pytest.approx(1 / fortunes.mean())


def test_t_interval_of_a_worked_example():
    # mean 3, standard error sqrt(2.5 / 5); t(0.975, 4) = 2.7764
    interval = statistics.mean_interval([1, 2, 3, 4, 5], 0.95)
    assert interval.value == 3
    assert interval.high - interval.value == pytest.approx(2.7764 * np.sqrt(0.5), rel=1e-4)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p_values):
    tests = range(len(p_values))
    families = [set(found) for size in tests for found in combinations(tests, size + 1)]
    adjusted = [
        max(bonferroni(p_values, family) for family in families if test in family) for test in tests
    ]
    assert statistics.holm(p_values) == pytest.approx(adjusted)


def bonferroni(p_values: list[float], family: set[int]) -> float:
    """The p value of "there is no effect in any test of the family"."""
    return min(1.0, len(family) * min(p_values[test] for test in family))


def test_holm_of_a_worked_example():
    assert statistics.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


@pytest.mark.parametrize(("n", "size"), [(5, 1.359), (10, 0.853), (20, 0.577)])
def test_detectable_effect_agrees_with_power_tables(n, size):
    assert statistics.detectable_effect(2.0, n, alpha=0.05) == pytest.approx(2 * size, rel=1e-3)


@pytest.mark.parametrize("n", [3, 50])
def test_detectable_effect_holds_at_strict_levels(n):
    effect = statistics.detectable_effect(1.0, n, alpha=0.05 / 20, power=0.9)
    assert effect > statistics.detectable_effect(1.0, n, alpha=0.05)


@pytest.mark.parametrize("n", [3, 10, 100])
@pytest.mark.parametrize("alpha", [0.05, 0.0005])
def test_detectable_effect_equals_that_of_statsmodels(n, alpha):
    expected = TTestPower().solve_power(nobs=n, alpha=alpha, power=0.9, alternative="larger")
    found = statistics.detectable_effect(2.0, n, alpha, power=0.9)
    assert found == pytest.approx(2 * float(expected), rel=1e-4)


def test_two_seeds_detect_nothing_at_a_level_beyond_reach():
    assert statistics.detectable_effect(1.0, 2, alpha=1e-6) == np.inf


def test_rank_trend_sees_order_alone():
    rows = [[1, 10, 100], [3, 2, 1], [5, 5, 5], [1, 3, 2]]
    assert statistics.rank_trend(rows) == pytest.approx([1, -1, 0, 0.5])


def test_best_columns_keeps_ties():
    assert statistics.best_columns([[1, 3, 2], [1, 1, 2]]).tolist() == [False, True, True]


@settings(max_examples=10, deadline=None)
@given(arrays(float, (5, 4), elements=st.floats(-1, 1, width=16)))
def test_every_resample_has_a_best_column(sample):
    best = statistics.resampled_best_columns(sample)
    assert best.shape == (statistics.RESAMPLES, 4)
    assert best.any(axis=1).all()


def test_the_best_is_among_columns_of_which_one_beats_all_others():
    noise = np.random.default_rng(0).normal(scale=0.1, size=(5, 4))
    values = noise + np.array([0, 3, 3, 1])
    assert statistics.p_best_among(values, [False, True, True, False]) < 0.001
    assert statistics.p_best_among(values, [True, False, False, True]) == 1
    assert statistics.p_best_among(values, [False, True, False, False]) > 0.05


def test_the_test_of_the_best_keeps_its_level_when_columns_tie():
    draws = np.random.default_rng(0).normal(size=(400, 5, 3))
    among = [True, True, False]
    found = [statistics.p_best_among(values, among) <= 0.05 for values in draws]
    assert np.mean(found) < 0.08


@pytest.mark.parametrize("among", [[True, True], [False, False]])
def test_the_best_of_nothing_is_not_found(among):
    assert statistics.p_best_among([[0, 1], [0, 2], [0, 3]], among) == 1


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_stays_within_zero_and_one(counts):
    share = statistics.wilson_interval(*counts)
    assert -1e-12 <= share.low <= share.value + 1e-12
    assert share.value - 1e-12 <= share.high <= 1 + 1e-12


def test_mcnemar_counts_only_items_that_differ():
    first = [True] * 56
    second = [True] * 50 + [False] * 6
    assert statistics.mcnemar_p(first, second) == pytest.approx(2 * 0.5**6)

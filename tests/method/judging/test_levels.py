"""Every kind of claim errs as seldom as it says where nothing is true: simulated under the null.

Each null stands at the edge of its claim, where false verdicts are most frequent. A test may err
less often than it says (with few seeds an exact one has to), but no more than a point more.
"""

import numpy as np
import pytest
from scipy import stats

from llmlab.method.judging import means, statistics

DRAWS = 20_000
ALPHA = 0.05
POINT = 0.01
SEEDS = (5, 10, 20)


def normal(generator, *shape):
    return generator.standard_normal(shape)


def skewed_up(generator, *shape):
    return generator.standard_exponential(shape) - 1


def skewed_down(generator, *shape):
    return 1 - generator.standard_exponential(shape)


def t_p_values(effects):
    """The t test of `statistics.t_above` against 0, of many samples [draws, n] at once."""
    return stats.ttest_1samp(effects, 0.0, axis=1, alternative="greater").pvalue


def skewed_p_values(effects):
    """As `statistics.skewed_t_above` against 0."""
    null = statistics._t_of_skewed_samples(effects.shape[1])
    found = stats.ttest_1samp(effects, 0.0, axis=1).statistic
    return (1 + len(null) - np.searchsorted(null, found)) / (1 + len(null))


def sign_flip_p_values(effects):
    """As `statistics.sign_flip_above` against 0."""
    n = effects.shape[1]
    signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    return ((effects @ signs.T) >= effects.sum(axis=1, keepdims=True) - 1e-12).mean(axis=1)


def errs(p_values):
    return float(np.mean(np.asarray(p_values) <= ALPHA))


@pytest.mark.parametrize(
    ("many", "one"),
    [
        (t_p_values, statistics.t_above),
        (skewed_p_values, statistics.skewed_t_above),
        (sign_flip_p_values, statistics.sign_flip_above),
    ],
)
def test_the_simulated_tests_are_those_that_judge(many, one):
    effects = skewed_up(np.random.default_rng(1), 20, 6)
    assert many(effects) == pytest.approx([one(row, 0.0) for row in effects])


@pytest.mark.parametrize("n", SEEDS)
@pytest.mark.parametrize("shape", [normal, skewed_up, skewed_down])
def test_paired_differences_of_any_shape(shape, n):
    generator = np.random.default_rng(n)
    effects = shape(generator, DRAWS, n) - shape(generator, DRAWS, n)
    values = np.stack([shape(generator, n), shape(generator, n)], axis=1)
    judged_by = means.test_of_difference(values, "share").above
    if n < means.ENOUGH_SEEDS:
        assert judged_by is statistics.sign_flip_above
        assert errs(sign_flip_p_values(effects)) <= ALPHA
    else:
        assert errs(t_p_values(effects)) == pytest.approx(ALPHA, abs=POINT)
    assert errs(t_p_values(normal(generator, DRAWS, n))) == pytest.approx(ALPHA, abs=POINT)


@pytest.mark.parametrize("n", SEEDS)
@pytest.mark.parametrize("shape", [normal, skewed_up, skewed_down])
def test_one_outcome_against_a_number_or_beside_a_side_that_hardly_varies(shape, n):
    generator = np.random.default_rng(n)
    outcome = shape(generator, DRAWS, n)
    still = 0.01 * normal(generator, n)
    decides = means.test_against_number(outcome[0], 0.0, "share").decides
    assert decides == (n >= means.ENOUGH_SEEDS)
    if decides:
        beside = np.stack([outcome[0], still], axis=1)
        assert means.test_of_difference(beside, "share").above is statistics.skewed_t_above
    assert errs(skewed_p_values(outcome)) <= ALPHA + POINT


def test_the_usual_t_test_would_not_hold_its_level_there():
    assert errs(t_p_values(skewed_down(np.random.default_rng(0), DRAWS, 5))) > 0.14


@pytest.mark.parametrize("n", SEEDS)
@pytest.mark.parametrize("side", [-1, 1])
def test_two_one_sided_tests_at_the_edge_of_the_margin(n, side):
    effects = side * 1.0 + normal(np.random.default_rng(n), DRAWS, n) * 0.3
    within = np.maximum(t_p_values(effects + 1), t_p_values(1 - effects))
    assert errs(within) == pytest.approx(ALPHA, abs=POINT)


@pytest.mark.parametrize("n", SEEDS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_shares_of_runs_that_pass(n, share):
    passes = np.arange(n + 1)
    above = [statistics.binomial_above(np.arange(n) < k, share) for k in passes]
    assert stats.binom.pmf(passes, n, share)[np.array(above) <= ALPHA].sum() <= ALPHA


@pytest.mark.parametrize("n", SEEDS)
@pytest.mark.parametrize(("margin", "differ"), [(0.0, 0.3), (0.0, 1.0), (0.5, 0.6)])
def test_two_shares_of_the_same_seeds(n, margin, differ):
    generator = np.random.default_rng(n)
    steps = [(differ - margin) / 2, 1 - differ, (differ + margin) / 2]
    sums = generator.multinomial(n, steps, size=DRAWS) @ [-1, 0, 1]
    p_of = {
        total: statistics.paired_shares_above(
            np.repeat([np.sign(total), 0], [abs(total), n - abs(total)]), margin
        )
        for total in range(-n, n + 1)
    }
    assert errs([p_of[total] for total in sums]) <= ALPHA


@pytest.mark.parametrize("n", SEEDS)
@pytest.mark.parametrize("chance", [0.02, 0.2, 0.5])
def test_a_bounded_mean_even_where_most_samples_are_constant(n, chance):
    # 0 with a small chance and else the value at which the mean is 0.4: most samples never vary
    high = 0.4 / (1 - chance)
    values = np.where(np.random.default_rng(n).random((DRAWS, n)) < chance, 0.0, high)
    zeros = (values == 0).sum(axis=1)
    p_of = [
        statistics.bounded_above(np.repeat([0.0, high], [k, n - k]), 0.4, low=0.0)
        for k in range(n + 1)
    ]
    assert errs(np.take(p_of, zeros)) <= ALPHA


@pytest.mark.parametrize("n", SEEDS)
@pytest.mark.parametrize("shape", [normal, skewed_up])
def test_a_trend_against_none(shape, n, monkeypatch):
    # the mean of n rank correlations: its null distribution does not depend on the outcome
    generator, n_levels = np.random.default_rng(n), 5
    samples = shape(generator, DRAWS * n, n_levels)
    found = statistics.rank_trend(samples).reshape(DRAWS, n).mean(axis=1)
    orders = np.broadcast_to(np.arange(5.0) - 2, (DRAWS, n, n_levels))
    by_chance = statistics._trend_of_ranks(generator.permuted(orders, axis=2)).mean(axis=1)
    limit = np.quantile(by_chance, 1 - ALPHA)
    # of few seeds many means tie at the limit, and a tie is no claim: the level is not exhausted
    assert ALPHA - 2 * POINT < np.mean(found > limit) <= ALPHA + POINT
    monkeypatch.setattr(statistics, "TREND_DRAWS", 199)
    some = [statistics.trend_p(rows) for rows in samples.reshape(DRAWS, n, n_levels)[:400]]
    assert errs(some) <= ALPHA + 2.5 * np.sqrt(ALPHA * (1 - ALPHA) / 400)


@pytest.mark.parametrize("n", SEEDS)
def test_correlations_against_the_margin_that_refutes_them(n):
    # correlations of 1 or 0.2 with mean 0.8: the claim of a trend of 0.8 is just true
    ones = np.random.default_rng(n).binomial(n, 0.75, size=DRAWS)
    p_of = [
        statistics.bounded_above(-np.repeat([1.0, 0.2], [k, n - k]), -0.8, low=-1.0)
        for k in range(n + 1)
    ]
    assert errs(np.take(p_of, ones)) <= ALPHA


@pytest.mark.parametrize("n", SEEDS)
@pytest.mark.parametrize("shape", [normal, skewed_up])
def test_the_best_level_where_two_tie_across_the_end_of_the_interval(shape, n):
    values = shape(np.random.default_rng(n), DRAWS, n, 3)
    beats = [np.maximum(t_p_values(values[..., a] - values[..., 2]), 0) for a in (0, 1)]
    p_values = np.minimum(1, 2 * np.minimum(*beats))
    one = statistics.p_best_among(values[0], [True, True, False])
    assert p_values[0] == pytest.approx(one)
    assert errs(p_values) <= ALPHA + POINT


@pytest.mark.parametrize("n", SEEDS)
@pytest.mark.parametrize("gap", [0.0, 0.8])
def test_sides_that_are_tuned_on_the_seeds_that_are_compared(n, gap):
    """A flat grid beside a peaked one, equally good at their best; metric and choice are one."""
    generator, draws, k = np.random.default_rng(n), 2_000, 3
    flat = normal(generator, draws, n, k) - gap * np.array([0, 1, 1])
    peak = normal(generator, draws, n)
    shares = generator.multinomial(n, np.full(n, 1 / n), size=200) / n
    chosen = np.einsum("bn,dnk->dbk", shares, flat).argmax(axis=2)
    may_be_best = (chosen[:, :, None] == np.arange(k)).mean(axis=1) >= 0.05
    may_be_best |= flat.mean(axis=1) == flat.mean(axis=1).max(axis=1, keepdims=True)
    for sign in (1, -1):
        p_values = np.stack([t_p_values(sign * (flat[..., j] - peak)) for j in range(k)], axis=1)
        error = errs(np.where(may_be_best, p_values, 0.0).max(axis=1))
        assert error <= ALPHA + POINT + 2 * np.sqrt(ALPHA / draws)


@pytest.mark.parametrize("n", SEEDS)
def test_the_best_over_all_levels_of_both_sides(n):
    generator = np.random.default_rng(n)
    some, others = normal(generator, DRAWS, n, 3), normal(generator, DRAWS, n, 2)
    beats = [
        np.maximum(*(t_p_values(some[..., a] - others[..., b]) for b in range(2))) for a in range(3)
    ]
    p_values = np.minimum(1, 3 * np.min(beats, axis=0))
    one = statistics.p_some_beats_all(some[0], others[0], 0.0, statistics.t_above)
    assert p_values[0] == pytest.approx(one)
    assert errs(p_values) <= ALPHA + POINT


@pytest.mark.parametrize("looks", [2, 4])
def test_looks_at_ever_more_seeds_spend_alpha_once(looks):
    effects = normal(np.random.default_rng(looks), DRAWS, 5 * 2 ** (looks - 1))
    false = np.zeros(DRAWS, dtype=bool)
    for look in range(1, looks + 1):
        p_values = t_p_values(effects[:, : 5 * 2 ** (look - 1)])
        false |= p_values * statistics.spending(look) <= ALPHA
    assert false.mean() <= ALPHA

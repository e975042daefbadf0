"""Select a test of a mean over seeds that holds its level for the outcome and number of seeds.

- Outcomes that are 0 or 1: exact binomial tests, of one share or of two on the same seeds.
- Losses, which are means over thousands of tokens: the t test.
- All other outcomes may be bounded or skewed (shares, times, ratios). With ten seeds or more,
  paired differences get the t test, since two sides that vary alike differ symmetrically. Against
  a fixed number, or a side that hardly varies, the t statistic is compared with that of an
  exponential outcome. With fewer seeds, paired differences get a sign-flip test, and nothing is
  tested against a number.
- Effects equal for all seeds do not show how much they vary. Shares are bounded, which allows a
  weak test; other outcomes get none.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from llmlab.method.judging import statistics
from llmlab.method.judging.statistics import Estimate, Test

EVEN_UNITS = frozenset({"nats", "nats/token", "bits/byte"})
"""Units of losses: means over so many tokens that they are nearly normal over seeds."""

ENOUGH_SEEDS = 10
"""From here on, the error rate of the paired t test exceeds its level by at most one point."""

HARDLY = 1 / 3
"""If one side's spread is below this share of the other's, the difference may stay skewed."""


@dataclass(frozen=True)
class MeanTest:
    """One-sided tests of a mean over seeds.

    Attributes:
        name: in words.
        above, below: p value of "the mean lies above (below) a bound".
        beware: a warning that a reader must know before trusting it; may be empty.
        is_t: whether the power of a t test gives the detectable effect.
        decides: whether it holds its level with so few seeds; if not, it only gives the interval.
        least, most: bounds of the mean.
    """

    name: str
    above: Test
    below: Test
    beware: str = ""
    is_t: bool = True
    decides: bool = True
    least: float = -np.inf
    most: float = np.inf

    def within(self, effects: np.ndarray, margin: float) -> float:
        """P value of "the mean lies within plus or minus `margin`": two one-sided tests (TOST).

        Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15, 657-680.
        """
        return max(self.above(effects, -margin), self.below(effects, margin))

    def outside(self, effects: np.ndarray, margin: float) -> float:
        """P value of "the mean lies outside plus or minus `margin`", doubled for two sides."""
        return min(1.0, 2 * min(self.above(effects, margin), self.below(effects, -margin)))

    def interval(self, effects: np.ndarray, alpha: float) -> Estimate:
        """The mean, with all values that neither one-sided test excludes at alpha."""
        if self.above is statistics.t_above:
            return statistics.mean_interval(effects, 1 - 2 * alpha)
        mean = float(effects.mean())
        down, up = (
            min(abs(mean - end), 100 * float(np.ptp(effects))) if np.isinf(end) else abs(mean - end)
            for end in (self.least, self.most)
        )
        low = mean - _farthest(lambda far: self.above(effects, mean - far) > alpha, down)
        high = mean + _farthest(lambda far: self.below(effects, mean + far) > alpha, up)
        return Estimate(mean, low, high, 1 - 2 * alpha, len(effects))


def test_of_difference(values: np.ndarray, unit: str) -> MeanTest:
    """Select the test of paired differences.

    Args:
        values: [n, 2] both sides of each seed.
        unit: of the metric.
    """
    effects = values[:, 0] - values[:, 1]
    if _is_binary(values):
        name = "exact test of two paired shares"
        return _symmetric(name, statistics.paired_shares_above, is_t=False, least=-1.0, most=1.0)
    if statistics.is_constant(effects):
        return _constant(unit, low=-2.0, high=2.0)
    if unit in EVEN_UNITS:
        return _symmetric("paired t test", statistics.t_above)
    if len(effects) < ENOUGH_SEEDS:
        return _sign_flips()
    spread = np.sort(values.std(axis=0, ddof=1))
    if spread[0] < HARDLY * spread[1]:
        return _symmetric("paired t test, held to skewed outcomes", statistics.skewed_t_above)
    return _symmetric("paired t test", statistics.t_above)


def test_against_number(values: np.ndarray, reference: float, unit: str) -> MeanTest:
    """Select the test of differences from a fixed number.

    Args:
        values: [n] of the metric.
    """
    if _is_binary(values):
        return _binomial(reference)
    if statistics.is_constant(values):
        return _constant(unit, low=-1.0 - reference, high=1.0 - reference)
    if unit in EVEN_UNITS:
        return _symmetric("t test", statistics.t_above)
    if len(values) < ENOUGH_SEEDS:
        return _symmetric(
            "no test",
            statistics.skewed_t_above,
            "an outcome that may be bounded or skewed is tested against a number with "
            f"{ENOUGH_SEEDS} seeds or more",
            decides=False,
        )
    return _symmetric("t test, held to skewed outcomes", statistics.skewed_t_above)


def test_of_levels(values: np.ndarray, unit: str) -> MeanTest:
    """Select the test of paired differences between any two levels of a sweep.

    Args:
        values: [n, k] one column for each level.
    """
    if unit in EVEN_UNITS or len(values) >= ENOUGH_SEEDS:
        return _symmetric("paired t test", statistics.t_above)
    return _sign_flips()


def test_of_correlations() -> MeanTest:
    """The test of a mean of correlations, which lie between -1 and 1."""
    return _constant("share", low=-1.0, high=1.0)


def _symmetric(name: str, above: Test, beware: str = "", **others: bool | float) -> MeanTest:
    """A test whose other side is its mirror image."""
    return MeanTest(name, above, lambda effects, bound: above(-effects, -bound), beware, **others)


def _sign_flips() -> MeanTest:
    return _symmetric(
        "sign-flip permutation test of pairs",
        statistics.sign_flip_above,
        f"fewer than {ENOUGH_SEEDS} seeds of an outcome that may be bounded or skewed: only a "
        "permutation test holds its level, and few seeds have few permutations",
    )


def _binomial(reference: float) -> MeanTest:
    """The exact test of a share minus a reference."""

    def above(effects: np.ndarray, bound: float) -> float:
        return statistics.binomial_above(effects + reference, bound + reference)

    def below(effects: np.ndarray, bound: float) -> float:
        return statistics.binomial_above(1 - effects - reference, 1 - bound - reference)

    ends = {"least": -reference, "most": 1 - reference}
    return MeanTest("exact binomial test", above, below, is_t=False, **ends)


def _constant(unit: str, low: float, high: float) -> MeanTest:
    same = "all seeds gave the same effect, so its spread is unknown"
    if unit != "share":
        return _symmetric("no test", statistics.t_above, same, is_t=False, decides=False)

    def above(effects: np.ndarray, bound: float) -> float:
        return statistics.bounded_above(effects, bound, low)

    def below(effects: np.ndarray, bound: float) -> float:
        return statistics.bounded_above(-effects, -bound, -high)

    ends = {"least": low, "most": high}
    return MeanTest("test of a bounded mean", above, below, same, is_t=False, **ends)


def _is_binary(values: np.ndarray) -> bool:
    return bool(np.isin(values, (0.0, 1.0)).all())


def _farthest(holds: Callable[[float], bool], reach: float) -> float:
    """The largest number up to `reach` for which a condition holds, by bisection."""
    near, far = 0.0, reach
    if holds(far):
        return far
    for _ in range(40):
        middle = (near + far) / 2
        near, far = (middle, far) if holds(middle) else (near, middle)
    return far

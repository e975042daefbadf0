"""Judge claims about differences: of means, and of the best that each side reaches."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from llmlab.method.declare.experiment import Metric
from llmlab.method.judging import means, statistics
from llmlab.method.judging.case import FEWEST_SEEDS, Case, Judgement
from llmlab.method.judging.ledger import Hypothesis
from llmlab.method.judging.means import MeanTest
from llmlab.method.judging.sides import goodness
from llmlab.method.judging.statistics import Estimate


def judge_mean(case: Case) -> Judgement:
    """Judge a claim about the mean of paired differences, or of differences from a number."""
    hypothesis = case.hypothesis
    pairs = list(_possible(case))
    tests = [_mean_test(case, values) for values in pairs]
    effects = [_effects(case, values) for values in pairs]
    p_values = np.array(
        [_p_values(hypothesis, test, each) for test, each in zip(tests, effects, strict=True)]
    )
    p_supported, p_refuted = p_values.max(axis=0)
    estimate = _hull(tests, effects, hypothesis.alpha)
    return Judgement(
        effect=float(effects[0].mean()),
        low=estimate.low,
        high=estimate.high,
        level=estimate.level,
        n=len(effects[0]),
        unit=case.unit,
        per_seed=tuple(effects[0].tolist()),
        second_opinion=_second_opinion(case, estimate.level),
        test=_in_words(hypothesis, tests[0], len(pairs)),
        p_supported=float(p_supported),
        p_refuted=float(p_refuted),
        sides=case.sides,
        alarms=(tests[0].beware,) if tests[0].beware else (),
        open_end=case.open_end(),
        is_t=tests[0].is_t,
    )


def _possible(case: Case) -> list[np.ndarray]:
    """The values of both sides at each pair of levels that may be the best, chosen pair first."""
    levels = [[side.values, *side.rivals.values()] for side in case.sides]
    combined = itertools.product(*levels)
    tables = (pd.DataFrame(dict(enumerate(values))).dropna().to_numpy() for values in combined)
    return [values for values in tables if len(values) >= FEWEST_SEEDS]


def _effects(case: Case, values: np.ndarray) -> np.ndarray:
    reference = case.hypothesis.reference
    return values[:, 0] - (values[:, 1] if reference is None else reference)


def _mean_test(case: Case, values: np.ndarray) -> MeanTest:
    reference = case.hypothesis.reference
    if reference is None:
        return means.test_of_difference(values, case.unit)
    return means.test_against_number(values[:, 0], reference, case.unit)


def _p_values(hypothesis: Hypothesis, test: MeanTest, effects: np.ndarray) -> tuple[float, float]:
    """P values of the claim and of its opposite."""
    margin = hypothesis.margin
    if not test.decides:
        return 1.0, 1.0
    if hypothesis.claim == "equivalent":
        return test.within(effects, margin), test.outside(effects, margin)
    if hypothesis.claims_more:
        return test.above(effects, margin), test.below(effects, margin)
    return test.below(effects, -margin), test.above(effects, -margin)


def _hull(tests: Sequence[MeanTest], effects: Sequence[np.ndarray], alpha: float) -> Estimate:
    """The interval at the chosen levels, widened to those with the least and largest effect."""
    averages = [float(each.mean()) for each in effects]
    shown = {0, int(np.argmin(averages)), int(np.argmax(averages))}
    found = [tests[index].interval(effects[index], alpha) for index in sorted(shown)]
    low, high = min(each.low for each in found), max(each.high for each in found)
    return replace(found[0], low=low, high=high)


def _in_words(hypothesis: Hypothesis, test: MeanTest, n_pairs: int) -> str:
    if not test.decides:
        return test.name
    sides = "two one-sided tests" if hypothesis.claim == "equivalent" else "one-sided"
    choices = f", at each of {n_pairs} choices of levels" if n_pairs > 1 else ""
    return f"{sides}: {test.name}{choices}"


def _second_opinion(case: Case, level: float) -> tuple[float, float] | None:
    """The bootstrap interval of the mean, with tuned levels chosen again in each resample."""
    if len(case.values) < means.ENOUGH_SEEDS:
        return None
    chooser = case.table.experiment.metric(case.table.chooser) if case.hypothesis.tuned else None
    per_side = [
        statistics.chosen_resamples(*_levels_of(case, fixed, name, chooser))
        for name, fixed in case.table.fixed()
    ]
    reference = case.hypothesis.reference
    means_of = per_side[0] - (per_side[1] if reference is None else reference)
    low, high = np.quantile(means_of, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _levels_of(
    case: Case, fixed: Mapping[str, object], name: str, chooser: Metric | None
) -> tuple[np.ndarray, np.ndarray]:
    """The metric, and the goodness that chooses levels: [n, levels] each, by seed."""
    seeds, cells = list(case.sides[0].values), case.table.cells(name, fixed)
    metric = np.stack([cell[case.hypothesis.metric].reindex(seeds) for cell in cells], axis=1)
    if chooser is None:
        return metric, np.zeros_like(metric)
    return metric, goodness([cell.reindex(seeds) for cell in cells], chooser)


def judge_frontier(case: Case) -> Judgement:
    """Judge a claim about the best that each side reaches over all levels of its tuned axes."""
    hypothesis, direction = case.hypothesis, case.direction
    grids = [_complete(case, name, fixed) for name, fixed in case.table.fixed()]
    treatment, control = (direction * grid for grid in grids)
    test = means.test_of_difference(case.values, case.unit)
    # in terms of "more is better", the claim is one about treatment minus control
    more = hypothesis.claims_more == (direction > 0)
    margin = hypothesis.margin if more else -hypothesis.margin
    ahead = statistics.p_some_beats_all(treatment, control, margin, test.above)
    behind = statistics.p_some_beats_all(control, treatment, -margin, test.above)
    effects = case.values[:, 0] - case.values[:, 1]
    estimate = test.interval(effects, hypothesis.alpha)
    return Judgement(
        effect=estimate.value,
        low=estimate.low,
        high=estimate.high,
        level=estimate.level,
        n=estimate.n,
        unit=case.unit,
        per_seed=tuple(effects.tolist()),
        second_opinion=_second_opinion(case, estimate.level),
        test=f"one-sided: {test.name}, one level against all of the other side",
        p_supported=ahead if more else behind,
        p_refuted=behind if more else ahead,
        sides=case.sides,
        alarms=(test.beware,) if test.beware else (),
        open_end=case.open_end(case.sides[1 if direction * estimate.value > 0 else 0]),
        is_t=False,
    )


def _complete(case: Case, name: str, fixed: Mapping[str, object]) -> np.ndarray:
    """The metric of a side, [n, levels], at all levels for which every seed has a value."""
    seeds, metric = list(case.sides[0].values), case.hypothesis.metric
    cells = [cell[metric].reindex(seeds) for cell in case.table.cells(name, fixed)]
    return np.stack([cell for cell in cells if cell.notna().all()], axis=1)

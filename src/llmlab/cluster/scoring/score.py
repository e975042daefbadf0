"""Errors of the simulator on published runs, overall, by source and by model."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from llmlab.cluster.physics.coefficients import Coefficients
from llmlab.cluster.physics.step import step_time
from llmlab.cluster.scoring.rows import Published, Skipped


@dataclass(frozen=True)
class Errors:
    """Errors of predicted step times, as shares of the observed ones.

    Attributes:
        bias: mean of the signed errors; positive if predictions are too slow.
        rank_correlation: Spearman's, of predicted and observed tokens per second and accelerator;
            NaN for fewer than three rows.
    """

    mean_absolute_error: float
    median_absolute_error: float
    bias: float
    p90_absolute_error: float
    rank_correlation: float
    rows: int


@dataclass(frozen=True)
class Scored:
    """One run, observed and predicted: seconds per step."""

    run: Published
    predicted: float

    @property
    def error(self) -> float:
        return self.predicted / self.run.observed - 1


@dataclass(frozen=True)
class Score:
    """Errors on a table of runs.

    Attributes:
        dense_16bit: errors on pretraining of dense models in 16 bits; None if there are no runs.
    """

    overall: Errors | None
    dense_16bit: Errors | None
    by_source: dict[str, Errors]
    by_model: dict[str, Errors]
    skipped: tuple[Skipped, ...]


def score_runs(runs: Iterable[Published], c: Coefficients) -> list[Scored]:
    """Predict every run."""
    return [Scored(run, step_time(run.plan, c).total) for run in runs]


def score(scored: Sequence[Scored], skipped: Sequence[Skipped] = ()) -> Score:
    """The errors of these runs, overall and by group."""
    dense = [one for one in scored if one.run.is_dense_16bit]
    return Score(
        overall=errors(scored) if scored else None,
        dense_16bit=errors(dense) if dense else None,
        by_source=_grouped(scored, lambda one: one.run.source),
        by_model=_grouped(scored, lambda one: f"{one.run.source}: {one.run.model}"),
        skipped=tuple(skipped),
    )


def errors(scored: Sequence[Scored]) -> Errors:
    """The errors of at least one run."""
    signed = np.array([one.error for one in scored])
    sizes = np.abs(signed)
    return Errors(
        mean_absolute_error=float(sizes.mean()),
        median_absolute_error=float(np.median(sizes)),
        bias=float(signed.mean()),
        p90_absolute_error=float(np.quantile(sizes, 0.9)),
        rank_correlation=rank_correlation(scored),
        rows=len(scored),
    )


def lowest_error(runs: Iterable[Published]) -> float:
    """The least mean absolute error of any prediction from the plan alone: runs of one plan differ,
    by their libraries' releases for example."""
    observed = defaultdict(list)
    for run in runs:
        observed[run.plan].append(run.observed)
    least = [
        min(np.abs(guess / np.array(times) - 1).sum() for guess in times)
        for times in observed.values()
    ]
    return float(sum(least) / sum(map(len, observed.values())))


def rank_correlation(scored: Sequence[Scored]) -> float:
    """Spearman's correlation of predicted and observed speed."""
    if len(scored) < 3:
        return math.nan
    speeds = [_speed(one, one.predicted) for one in scored]
    observed = [_speed(one, one.run.observed) for one in scored]
    if len(set(speeds)) < 2 or len(set(observed)) < 2:
        return math.nan
    return float(scipy.stats.spearmanr(speeds, observed).statistic)


def attainable_rank_correlation(scored: Sequence[Scored], draws: int = 1000) -> float:
    """The rank correlation to expect if all errors that follow the layout were mended.

    The errors follow it as far as a linear fit on the logarithms of tp, pp and micro-batch explains
    them. What it leaves, scaled for the degrees of freedom that it used, counts as noise: the mean
    over `draws` shufflings of it. NaN if the fit leaves no degree of freedom.
    """
    plans = [one.run.plan for one in scored]
    layouts = [(1.0, math.log(p.tp), math.log(p.pp), math.log(p.micro_batch)) for p in plans]
    errors_of = np.log([one.run.observed / one.predicted for one in scored])
    fit, _, used, _ = np.linalg.lstsq(np.array(layouts), errors_of, rcond=None)
    if used >= len(scored):
        return math.nan
    followed = np.array(layouts) @ fit
    left = (errors_of - followed) * math.sqrt(len(scored) / (len(scored) - used))
    mended = -np.log([_speed(one, one.predicted) for one in scored]) + followed
    rng = np.random.default_rng(0)
    found = [
        scipy.stats.spearmanr(mended, mended + rng.permutation(left)).statistic
        for _ in range(draws)
    ]
    return float(np.mean(found))


def _speed(one: Scored, seconds: float) -> float:
    return one.run.plan.tokens / seconds / one.run.plan.gpus


def _grouped(scored: Sequence[Scored], key: Callable[[Scored], str]) -> dict[str, Errors]:
    names = sorted({key(one) for one in scored})
    return {name: errors([one for one in scored if key(one) == name]) for name in names}

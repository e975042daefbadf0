"""Judge one hypothesis on one table of runs: numbers in, numbers out.

Tests of each claim, all over seeds and paired (the runs of one seed belong together):

- greater, less: a one-sided test of the paired differences against the margin, or of the
  differences from a reference if there is no control. `means` selects the test.
- equivalent: two such tests (TOST) of the paired differences against both margins.
- monotone: Page's test by permutation of the levels within each seed, against no trend. In
  addition, the mean rank correlation of the seeds must reach the margin. To refute the claim, the
  mean of these correlations, which are between -1 and 1, must be bounded away from the margin.
- interval: the best level is the one with the best mean. Some level inside the interval must beat
  every level outside in one-sided paired tests, corrected for the choice of that level; to refute
  the claim, some level outside must beat every level inside. The effect is the level with the best
  mean, with a bootstrap interval over seeds.

Each claim has two p values, one for the claim and one for its opposite. If neither is small, the
data do not decide.

If levels are tuned, both p values hold for every level that may be the best (see `sides`). If the
compared metric itself chooses the level, some level of one side must beat every level of the other.

The reported interval has level 1 - 2 alpha: it lies on one side of the margin exactly if the
one-sided test at alpha rejects (before the correction for the family). With tuned levels it covers
the intervals of all levels that may be the best.

A run that diverged is a result, not a gap: without it, a condition would be judged by its lucky
seeds. It counts as the worst value of any completed run of the experiment, so that no run counts as
worse (the composite strategy of ICH E9(R1) for events that end a trial). A run that failed for
other reasons carries no information, and its seed is left out on all sides. An alarm reports the
number of both.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from llmlab.method.declare.experiment import Experiment
from llmlab.method.errors import LabError
from llmlab.method.judging.case import FEWEST_SEEDS, Case, Judgement, NoJudgement
from llmlab.method.judging.differences import judge_frontier, judge_mean
from llmlab.method.judging.ledger import Hypothesis
from llmlab.method.judging.mistakes import design_mistakes
from llmlab.method.judging.sides import NotInTableError, Side, Table, alarms_of_runs, no_room
from llmlab.method.judging.sweeps import judge_optimum, judge_trend

_RULES: Mapping[str, Callable[[Case], Judgement]] = {
    "mean": judge_mean,
    "frontier": judge_frontier,
    "monotone": judge_trend,
    "interval": judge_optimum,
}


def judge(
    hypothesis: Hypothesis, experiment: Experiment, runs: pd.DataFrame
) -> Judgement | NoJudgement:
    """Judge a hypothesis on the runs of its experiment at one scale.

    Args:
        runs: the table `runs.csv`, in its canonical order.

    Raises:
        LabError: the experiment cannot test the hypothesis.
    """
    for mistake in design_mistakes(hypothesis, experiment):
        raise LabError(f"hypothesis {hypothesis.id}: {mistake}.")
    table = Table.of(hypothesis, experiment, runs)
    try:
        found = [table.side(name, fixed) for name, fixed in table.fixed()]
    except NotInTableError as absent:
        return NoJudgement("UNTESTED", str(absent))
    paired = pd.concat([values for _, values in found], axis=1).dropna()
    if len(paired) < FEWEST_SEEDS:
        return NoJudgement(
            "UNDECIDED",
            f"Only {len(paired)} seeds have a value on every side; a verdict needs at least "
            f"{FEWEST_SEEDS}.",
        )
    sides = tuple(_at_seeds(side, paired.index) for side, _ in found)
    edges = [(side, edge) for side in sides for edge in table.edges(side)]
    seeds = set().union(*(values.index for _, values in found))
    case = Case(table, sides, paired.to_numpy(), edges)
    return _judged(case, alarms_of_runs(sides, seeds, len(paired)))


def _judged(case: Case, of_runs: Sequence[str]) -> Judgement:
    """Judge by the rule of the claim.

    Args:
        of_runs: alarms about diverged runs and excluded seeds.
    """
    hypothesis = case.hypothesis
    judgement = _RULES[_rule(hypothesis)](case)
    cramped = no_room(case.sides, case.table.experiment.metric(hypothesis.metric))
    end = [cramped.alarm] if cramped else []
    judgement = replace(judgement, alarms=(*of_runs, *end, *case.alarms, *judgement.alarms))
    if hypothesis.kind == "check":
        return _as_check(judgement)
    if cramped and cramped.hides(hypothesis):
        needed = [judgement.open_end, cramped.remedy]
        return replace(judgement, open_end=" and ".join(filter(None, needed)))
    return judgement


def _at_seeds(side: Side, seeds: pd.Index) -> Side:
    """The side, restricted to these seeds."""
    values = {seed: side.values[seed] for seed in seeds}
    return replace(side, values=values, mean=float(np.mean(list(values.values()))))


def _rule(hypothesis: Hypothesis) -> str:
    if hypothesis.claim in ("monotone", "interval"):
        return hypothesis.claim
    return "frontier" if hypothesis.is_frontier else "mean"


def _as_check(judgement: Judgement) -> Judgement:
    """Turn a judgement into a check: every seed must be as claimed, so there are no p values."""
    return replace(
        judgement,
        test="a check: each seed alone",
        p_supported=None,
        p_refuted=None,
        second_opinion=None,
        is_t=False,
    )

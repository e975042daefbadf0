"""Correct the p values of hypotheses for their family and for the looks at their question.

Each direction is corrected separately over the family (Holm): the chance of any false SUPPORTED in
it is at most alpha, and so is that of any false REFUTED. All registered hypotheses of the family
count, tested or not, so that a verdict does not depend on what was run first.

Every further look at a question, at more seeds or at runs of other code, adds a chance of error. So
alpha is spent in advance: half of it at the first recorded table, a quarter at the second, and so
on. At the k-th look, all p values of a table are multiplied by 2^k before Holm's correction.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from llmlab.method.judging import statistics
from llmlab.method.judging.case import Judgement, NoJudgement
from llmlab.method.judging.ledger import Hypothesis


@dataclass(frozen=True)
class Adjusted:
    """P values of a claim and of its opposite after the corrections.

    Attributes:
        size: number of hypotheses in the family (Holm).
        looks: number of recorded tables judged, including the last; alpha is spent over them.
    """

    supported: float
    refuted: float
    size: int
    looks: int

    @property
    def tests(self) -> int:
        """The largest factor on a p value."""
        return self.size * statistics.spending(self.looks)


def corrected(
    hypotheses: Iterable[Hypothesis],
    judgements: Mapping[str, Judgement | NoJudgement],
    looks: Mapping[str, int],
) -> dict[str, Adjusted]:
    """Apply both corrections within each family; hypotheses without a judgement count with p = 1.

    Args:
        looks: for each hypothesis, how often its runs have been judged, including this time.
    """
    families: dict[str, list[Hypothesis]] = {}
    for hypothesis in hypotheses:
        families.setdefault(hypothesis.family, []).append(hypothesis)
    adjusted: dict[str, Adjusted] = {}
    for members in families.values():
        counts = [max(1, looks[member.id]) for member in members]
        p_values = np.array([_p_values(judgements[member.id]) for member in members])
        spent = np.array([statistics.spending(count) for count in counts])
        seen = np.minimum(1.0, p_values * spent[:, None])
        supported, refuted = (statistics.holm(direction).tolist() for direction in seen.T)
        for member, *both, count in zip(members, supported, refuted, counts, strict=True):
            adjusted[member.id] = Adjusted(*both, size=len(members), looks=count)
    return adjusted


def _p_values(judgement: Judgement | NoJudgement) -> tuple[float, float]:
    """P values of the claim and of its opposite before the correction; 1 if there are none."""
    if isinstance(judgement, NoJudgement) or judgement.p_supported is None:
        return 1.0, 1.0
    return judgement.p_supported, judgement.p_refuted

"""A hypothesis on doses, and what runs of an experiment might say about it."""

from datetime import date

from llmlab.method.judging.case import Judgement
from llmlab.method.judging.ledger import Hypothesis

HYPOTHESIS = Hypothesis(
    id="H-DOSE-1",
    question="Q-DOSE",
    experiment="toy",
    title="More helps",
    statement="It does.",
    reason="Theory.",
    metric="score",
    claim="greater",
    family="dose",
    registered=date(2026, 1, 31),
    treatment={"dose": 2.0},
    control={"dose": 1.0},
    margin=0.5,
)

JUDGEMENT = Judgement(
    effect=0.6,
    low=0.4,
    high=0.8,
    level=0.9,
    n=5,
    unit="points",
    per_seed=(0.5, 0.6, 0.7, 0.6, 0.6),
    second_opinion=(0.45, 0.75),
    test="one-sided: paired t test",
    p_supported=0.5,
    p_refuted=0.5,
    sides=(),
    alarms=(),
)

"""Causes of interruptions and their rates: counts from published runs, per accelerator and hour.

Counts, not printed shares: the Llama 3 paper prints 30.1 % for faulty GPUs where its own table has
148 of 419.
"""

from dataclasses import dataclass
from functools import cache

from llmlab.cluster.facts import INTERRUPTIONS, fact_table

LLAMA3 = "Llama 3 405B pre-training"
UNPLANNED = "unexpected interruption"
PLANNED = "planned interruption"
HOURS_PER_DAY = 24


@dataclass(frozen=True)
class Cause:
    """One cause of interruptions.

    Attributes:
        per_gpu_hour: interruptions per accelerator and hour.
        count: number of interruptions behind the rate.
    """

    name: str
    category: str
    per_gpu_hour: float
    count: int
    is_planned: bool


@cache
def llama3_causes() -> tuple[Cause, ...]:
    """The causes of 466 interruptions in 54 days on 16,384 H100 (arXiv:2407.21783, table 5)."""
    table = fact_table(INTERRUPTIONS)
    rows = table[(table["system"] == LLAMA3) & table["measure"].isin([UNPLANNED, PLANNED])]
    return tuple(
        Cause(
            name=row.cause,
            category=row.category,
            per_gpu_hour=row.events / (row.gpus * row.days * HOURS_PER_DAY),
            count=int(row.events),
            is_planned=row.measure == PLANNED,
        )
        for row in rows.rename(columns={"count": "events"}).itertuples(index=False)
    )


def mean_time_between(gpus: int) -> float:
    """Mean seconds between interruptions, including planned ones, of a run on `gpus` GPUs."""
    rate = sum(cause.per_gpu_hour for cause in llama3_causes())
    return 3600 / (rate * gpus)

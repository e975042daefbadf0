"""Compare predicted memory with the published peaks of torchtitan's runs.

Each row of `data/published_memory.csv` has a plan's fields and the peak over all accelerators.
"""

from dataclasses import dataclass

from llmlab.cluster.facts import MEMORY, fact_table
from llmlab.cluster.physics.memory import memory_use
from llmlab.cluster.physics.plan import Plan
from llmlab.cluster.physics.planfile import PlanFile, parsed

GIB = 2**30
MEASURED = ("memory_gib", "table", "note")
"""Columns that are not fields of a plan."""


@dataclass(frozen=True)
class MeasuredMemory:
    """A published run, and the bytes on its fullest accelerator.

    Attributes:
        table: table of the source.
    """

    plan: Plan
    table: str
    observed: float

    @property
    def predicted(self) -> float:
        return memory_use(self.plan).total

    @property
    def error(self) -> float:
        """Error of the prediction, as a share of the observed bytes."""
        return self.predicted / self.observed - 1


def measured_memory() -> list[MeasuredMemory]:
    """The published peaks of memory."""
    table = fact_table(MEMORY)
    plans = table.drop(columns=list(MEASURED)).to_dict("records")
    return [
        MeasuredMemory(parsed(PlanFile, plan, MEMORY).plan(), row.table, row.memory_gib * GIB)
        for plan, row in zip(plans, table.itertuples(), strict=True)
    ]

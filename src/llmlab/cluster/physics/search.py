"""Search for the fastest plan that fits memory, over all factorisations of the accelerators."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace

from llmlab.cluster.physics.coefficients import Coefficients
from llmlab.cluster.physics.memory import memory_use
from llmlab.cluster.physics.plan import PYTORCH, Plan, fits_evenly
from llmlab.cluster.physics.step import step_time
from llmlab.method.errors import LabError

MICRO_BATCHES = (1, 2, 4, 8, 16, 32)
INTERLEAVES = (1, 2, 3, 4, 6, 8, 12, 16)
LAYOUT = ("tp", "pp", "cp", "ep", "micro_batch", "interleave", "sharding", "recompute")
"""Fields of a plan that a search may change."""


@dataclass(frozen=True)
class RankedPlan:
    """A plan and its seconds per step."""

    plan: Plan
    seconds: float


@dataclass(frozen=True)
class SearchResult:
    """The best plans, fastest first, and the numbers of plans tried and fitting."""

    plans: tuple[RankedPlan, ...]
    tried: int
    fitting: int


def search(base: Plan, c: Coefficients, keep: int = 5) -> SearchResult:
    """Find the `keep` fastest layouts of `base`'s model, batch and accelerators.

    Uses the least recomputation that fits for each layout, since less is always faster.

    Raises:
        LabError: no layout fits memory.
    """
    tried, fitting = 0, []
    for plan in layouts(base):
        tried += 1
        if fits := least_recompute(plan):
            fitting.append(RankedPlan(fits, step_time(fits, c).total))
    if not fitting:
        raise LabError(
            f"no layout of {base.shape.name} fits {base.gpus} x {base.accelerator.name}; use more "
            "GPUs or a smaller model."
        )
    best = heapq.nsmallest(keep, fitting, key=lambda ranked: ranked.seconds)
    return SearchResult(tuple(best), tried, len(fitting))


def layouts(base: Plan) -> Iterator[Plan]:
    """All layouts of the base's accelerators that divide evenly."""
    shape = base.shape
    for tp in _divisors_of(base.gpus, shape.heads):
        for pp in _stages(base.gpus // tp, shape.layers):
            for cp in _divisors_of(base.gpus // (tp * pp), base.seq_len):
                replicas = base.gpus // (tp * pp * cp)
                if base.global_batch % replicas:
                    continue
                for ep in _divisors_of(replicas * cp * tp, max(shape.experts, 1)):
                    layout = replace(base, tp=tp, pp=pp, cp=cp, ep=ep, sequence_parallel=tp > 1)
                    yield from filter(fits_evenly, _variants(layout))


def least_recompute(plan: Plan) -> Plan | None:
    """The plan with the least recomputation that fits memory, or None."""
    part = "operations" if plan.software in PYTORCH else "selective"
    for recompute in ("none", part, "full"):
        candidate = replace(plan, recompute=recompute)
        if memory_use(candidate).total <= plan.accelerator.memory:
            return candidate
    return None


def nearest_fitting(plan: Plan, c: Coefficients) -> Plan | None:
    """The fastest of the fitting plans with the fewest changes."""

    def changes(other: Plan) -> int:
        return sum(getattr(plan, name) != getattr(other, name) for name in LAYOUT)

    same = [replace(plan, sharding=sharding) for sharding in ("optimizer", "parameters")]
    fitting = [fits for other in [plan, *same, *layouts(plan)] if (fits := least_recompute(other))]
    if not fitting:
        return None
    fewest = min(map(changes, fitting))
    nearest = [other for other in fitting if changes(other) == fewest]
    return min(nearest, key=lambda other: step_time(other, c).total)


def _variants(layout: Plan) -> Iterator[Plan]:
    """Micro-batches, virtual stages and sharding of one layout."""
    rank_batch = layout.global_batch // layout.dp
    shardings = ("optimizer", "parameters") if layout.pp == 1 else ("optimizer",)
    for micro_batch in MICRO_BATCHES:
        if rank_batch % micro_batch:
            continue
        for interleave in _virtual_stages(layout, rank_batch // micro_batch):
            for sharding in shardings:
                yield replace(
                    layout, micro_batch=micro_batch, interleave=interleave, sharding=sharding
                )


def _virtual_stages(layout: Plan, micro_batches: int) -> list[int]:
    """Possible interleavings, which need whole chunks of layers and micro-batches in multiples of
    the stages.
    """
    if layout.pp == 1 or micro_batches % layout.pp or layout.shape.layers % layout.pp:
        return [1]
    chunk = layout.shape.layers // layout.pp
    return [virtual for virtual in INTERLEAVES if chunk % virtual == 0]


def _stages(gpus: int, layers: int) -> list[int]:
    """Pipeline depths with equal stages, or with one layer fewer in the first and last."""
    return [
        pp
        for pp in range(1, min(gpus, layers) + 1)
        if gpus % pp == 0 and (layers % pp == 0 or (layers + 2) % pp == 0)
    ]


def _divisors_of(*numbers: int) -> list[int]:
    """Numbers that divide all of them."""
    return [i for i in range(1, min(numbers) + 1) if not any(number % i for number in numbers)]

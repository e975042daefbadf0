"""The script of the show: log lines of ranks, libraries and health checks, and written files."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from llmlab.cluster.physics.hardware import GPUS_PER_NODE
from llmlab.cluster.physics.plan import Plan
from llmlab.cluster.show.events import File, Level
from llmlab.cluster.show.scenario import Cast
from llmlab.cluster.wear.causes import Cause

SHARD_BYTES = 5_000_000_000
"""Largest file of a released model: 5 GB, the default of `transformers` 4."""
COMPANIONS = {
    "config.json": 731,
    "generation_config.json": 184,
    "special_tokens_map.json": 296,
    "tokenizer.json": 9_085_698,
    "tokenizer_config.json": 55_351,
}
"""Files beside the weights of a released model, with typical sizes in bytes."""


@dataclass(frozen=True)
class Line:
    """A log line with its level, rank and source."""

    text: str
    level: Level = "INFO"
    rank: int = 0
    source: str = "trainer"


Timed = tuple[float, Line]
"""Seconds before a line, and the line."""


def start_up(cast: Cast, dice: random.Random, first: bool, step: int) -> Iterator[Timed]:
    """Lines from the launcher to the first step."""
    plan = cast.plan
    nodes = max(plan.gpus // GPUS_PER_NODE, 1)
    port = dice.randrange(29500, 29900)
    yield 0.5, Line(f"rendezvous complete: {nodes} nodes, world size {plan.gpus}", source="elastic")
    yield 1 + dice.random(), Line(f"master node-0000:{port}, backend nccl", source="elastic")
    for rank in _some_ranks(plan.gpus):
        node, local = divmod(rank, GPUS_PER_NODE)
        text = f"cuda:{local} on node-{node:04d}, local rank {local}"
        line = Line(text, rank=rank, source="init")
        yield 0.05 + 0.1 * dice.random(), line
    channels = dice.choice((16, 24, 32))
    version = dice.choice(("2.23.4", "2.25.1", "2.26.2"))
    nccl = f"NCCL version {version}+cuda12.8, {channels} channels, NET/IB: 8 adapters, GDRDMA"
    yield 2 + 3 * dice.random(), Line(nccl, source="nccl")
    groups = f"groups: tp={plan.tp} pp={plan.pp} cp={plan.cp} ep={plan.ep} dp={plan.dp}"
    yield 4 + nodes**0.5, Line(f"communicators ready, {groups}", source="nccl")
    if first:
        yield from _first_load(cast, dice)
    else:
        loading = Line(f"loading checkpoint step-{step:07d}", source="checkpoint")
        yield 8 + 10 * dice.random(), loading
        yield 20 + 20 * dice.random(), Line(f"resumed at step {step}, data loader moved on")
    compiled = 20 + 20 * dice.random()
    yield compiled, Line(f"kernels compiled in {compiled:.1f} s, CUDA graphs captured")


def _first_load(cast: Cast, dice: random.Random) -> Iterator[Timed]:
    shape = cast.plan.shape
    yield 0.8, Line(f"tokenizer: {shape.vocab} tokens, BPE", source="data")
    shards = dice.randrange(200, 1200)
    billions = shards * dice.randrange(90, 110) / 1000
    yield 2.0, Line(f"{shards} shards found, {billions:.1f}B tokens indexed", source="data")
    for part in range(1, 5):
        loaded = shards * part // 4
        yield 1 + dice.random(), Line(f"loaded {loaded}/{shards} shards", source="data")
    sizes = f"{shape.layers} layers, d_model {shape.d_model}, {shape.heads} heads"
    yield 3.0, Line(f"{shape.name}: {shape.parameters:,} parameters, {sizes}", source="model")
    yield 1.0, Line("AdamW (betas 0.9, 0.95, eps 1e-08, weight decay 0.1), cosine schedule")


def failure(cause: Cause, node: int, dice: random.Random, step: int) -> Iterator[Timed]:
    """Lines from the fault to the restart of the job."""
    gpu = dice.randrange(GPUS_PER_NODE)
    rank, host = GPUS_PER_NODE * node + gpu, f"node-{node:04d}"
    fault = FAULTS.get(cause.category, "{cause} on {host}")
    fault = fault.format(cause=cause.name, host=host, gpu=gpu)
    yield 0.0, Line(fault, "ERROR", rank, "health")
    if not cause.is_planned:
        yield 60 + 120 * dice.random(), Line(_timeout(dice), "ERROR", rank, "nccl")
    yield 5.0, Line(f"job stopped, {host} cordoned", "WARNING", source="elastic")
    replaced = f"{host} replaced by node-{dice.randrange(9000, 9999)}, health checks passed"
    yield 60 + 120 * dice.random(), Line(replaced, source="elastic")
    yield 10.0, Line(f"restart from checkpoint step-{step:07d}", "WARNING", source="elastic")


def _timeout(dice: random.Random) -> str:
    """What NCCL's watchdog logs when a rank no longer answers."""
    waited_ms = dice.choice((600_000, 1_200_000, 1_800_000)) + 47
    number = dice.randrange(10**5, 10**7)
    return (
        f"[PG 0] watchdog caught collective operation timeout: WorkNCCL(SeqNum={number}, "
        f"OpType=ALLREDUCE) ran for {waited_ms} ms"
    )


FAULTS = {
    "GPU": "{host} GPU {gpu}: {cause} (Xid 79: GPU has fallen off the bus)",
    "Network": "{host}: {cause}, link mlx5_{gpu} down",
    "Host": "{host}: {cause} fault",
    "Dependency": "{cause}: unhandled exception in the job",
    "Planned": "{cause}: job drained",
}


def warning(rank: int, dice: random.Random) -> str:
    """A random finding of a health check on one rank."""
    return dice.choice(
        (
            f"ECC: {dice.randrange(1, 9)} corrected error(s) on rank {rank}, row remapping pending",
            f"slow rank {rank}: step {dice.uniform(4, 14):.1f} % above the median of its group",
            f"rank {rank}: SM clock throttled to {dice.randrange(1200, 1700, 15)} MHz (thermal)",
            f"rank {rank}: data loader waited {dice.uniform(0.3, 2.5):.2f} s for its next batch",
            f"rank {rank}: NIC retransmits {dice.randrange(20, 900)} in 60 s",
        )
    )


def shards(plan: Plan) -> tuple[File, ...]:
    """The files of a sharded checkpoint: one per model-parallel rank, with optimizer state."""
    ranks = plan.tp * plan.pp
    size = 14 * plan.shape.parameters // ranks
    names = [f"shard-{rank + 1:05d}-of-{ranks:05d}.safetensors" for rank in range(ranks)]
    return (*(File(name, size) for name in names), File("metadata.json", 48_211))


def export_files(parameters: int) -> tuple[File, ...]:
    """The files of a released model: 16-bit weights, their index, and companions."""
    total = 2 * parameters
    count = -(-total // SHARD_BYTES)
    sizes = [SHARD_BYTES] * (count - 1) + [total - SHARD_BYTES * (count - 1)]
    names = [f"model-{i:05d}-of-{count:05d}.safetensors" for i in range(1, count + 1)]
    weights = [File(name, size) for name, size in zip(names, sizes, strict=True)]
    index = File("model.safetensors.index.json", 180 * count + 22_000)
    return (*weights, index, *(File(name, size) for name, size in COMPANIONS.items()))


def _some_ranks(gpus: int) -> list[int]:
    """The ranks that log their start: all in a small run, otherwise the first of each node."""
    return list(range(gpus)) if gpus <= 16 else list(range(0, min(gpus, 256), GPUS_PER_NODE))

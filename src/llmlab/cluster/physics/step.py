"""Time of one optimizer step, by part."""

import math
from dataclasses import dataclass, fields

from llmlab.cluster.physics import kernels
from llmlab.cluster.physics.coefficients import Coefficients
from llmlab.cluster.physics.collectives import (
    Group,
    all_gather,
    all_reduce,
    dispatch,
    exposed,
    send,
)
from llmlab.cluster.physics.hardware import GPUS_PER_NODE
from llmlab.cluster.physics.kernels import BYTES, FLASH_BACKWARD, Pass, Rates, tokens_per_pass
from llmlab.cluster.physics.plan import Plan

UPDATE_BYTES = 28
"""Bytes per parameter: Adam reads gradient, master weight and two moments, and writes master weight
and moments (4 + 4 + 8 + 4 + 8 bytes)."""

GRADIENT_BYTES = 4
"""Bytes per parameter of gradients that are summed into shards, in 32 bits."""


@dataclass(frozen=True)
class StepTime:
    """Seconds of a step by part; only exposed communication counts.

    Attributes:
        matmul, attention, elementwise: forward and backward passes.
        recompute: repeated forward passes.
        launch: waiting for the host to launch kernels.
        tensor, context, expert, pipeline, data: exposed communication of each parallelism.
        bubble: pipeline stages waiting for their first micro-batch or idle after their last.
        optimizer: the update of the weights.
        waiting: waiting for the slowest rank.
    """

    matmul: float
    attention: float
    elementwise: float
    recompute: float
    launch: float
    tensor: float
    context: float
    expert: float
    pipeline: float
    data: float
    bubble: float
    optimizer: float
    waiting: float

    @property
    def total(self) -> float:
        return sum(getattr(self, part) for part in PARTS)


PARTS = tuple(field.name for field in fields(StepTime))


@dataclass(frozen=True)
class Stage:
    """Seconds of the forward and backward pass of one micro-batch through the slowest stage.

    Attributes:
        head: part of `matmul` that the other stages lack.
    """

    matmul: float
    attention: float
    elementwise: float
    recompute: float
    launch: float
    tensor: float
    context: float
    expert: float
    head: float

    @property
    def total(self) -> float:
        return (
            (self.matmul + self.attention + self.elementwise)
            + (self.recompute + self.launch)
            + (self.tensor + self.context + self.expert)
        )


def step_time(plan: Plan, c: Coefficients) -> StepTime:
    """Seconds of one step of `plan`."""
    stage = stage_time(plan, c)
    passes = plan.micro_batches
    busy = passes * stage.total
    bubble = _bubble(plan, stage)
    pipeline = passes * _pipeline(plan, stage, c)
    data = _data(plan, stage, c)
    update = _optimizer(plan, c)
    return StepTime(
        matmul=passes * stage.matmul,
        attention=passes * stage.attention,
        elementwise=passes * stage.elementwise,
        recompute=passes * stage.recompute,
        launch=passes * stage.launch,
        tensor=passes * stage.tensor,
        context=passes * stage.context,
        expert=passes * stage.expert,
        pipeline=pipeline,
        data=data,
        bubble=bubble,
        optimizer=update,
        waiting=_slowest(plan, c) * (busy + bubble + pipeline + data + update),
    )


def stage_time(plan: Plan, c: Coefficients) -> Stage:
    """The time of the slowest stage: the one with the head, unless uneven layers compensate."""
    rates = Rates.of(plan, c)
    forward = _forward(plan, rates, c)
    products = 2 if plan.adapters else 3  # forward, gradients of inputs, gradients of weights
    relieved = plan.shape.layers % plan.pp != 0
    head = products * kernels.head(plan, rates) / (plan.pp if relieved else 1)
    matmul = products * forward.matmul + head
    core = (1 + (FLASH_BACKWARD if plan.is_flash else 2)) * forward.attention
    elementwise = 3 * forward.elementwise
    tensor = _tensor(plan, matmul, c)
    expert = _expert(plan, matmul, c)
    recompute = _recompute(plan, forward)
    return Stage(
        matmul=matmul,
        attention=core,
        elementwise=elementwise,
        recompute=recompute,
        launch=_launch(plan, matmul + core + elementwise + recompute + tensor + expert, c),
        tensor=tensor,
        context=_context(plan, core, c),
        expert=expert,
        head=0.0 if relieved else head,
    )


def _forward(plan: Plan, rates: Rates, c: Coefficients) -> Pass:
    """The forward pass of one micro-batch through the layers of a stage."""
    shape = plan.shape
    dense = shape.layers - shape.moe_layers
    layers = [
        (shape.layers, kernels.attention_layer(plan, rates, c)),
        (dense, kernels.dense_layer(plan, rates, c)),
    ]
    if shape.moe_layers:
        layers.append((shape.moe_layers, kernels.expert_layer(plan, rates, c)))
    return Pass(
        matmul=sum(count * layer.matmul for count, layer in layers) / plan.pp,
        attention=sum(count * layer.attention for count, layer in layers) / plan.pp,
        elementwise=sum(count * layer.elementwise for count, layer in layers) / plan.pp,
    )


def _recompute(plan: Plan, forward: Pass) -> float:
    """Repeated parts of a stage's forward pass."""
    spared = plan.shape.last_share * forward.matmul if plan.early_stop else 0.0
    return {
        "none": 0.0,
        "selective": 0.0 if plan.is_flash else forward.attention,
        "operations": plan.shape.every_second_share * forward.matmul + forward.elementwise,
        "full": forward.total - spared,
    }[plan.recompute]


def _launch(plan: Plan, busy: float, c: Coefficients) -> float:
    """Seconds that kernels, which take `busy` seconds, wait for the host to launch them.

    The host runs ahead, so this is a smooth form of max(host - busy, 0): all of the host's time if
    kernels take none, half of it if they take as long, hardly any if they take longer. A backward
    pass has twice as many kernels as a forward pass.
    """
    passes = 4 if plan.recompute in ("operations", "full") else 3
    host = passes * c.launch * plan.layers_per_stage
    return host**4 / (host**3 + busy**3)


def _tensor(plan: Plan, matmul: float, c: Coefficients) -> float:
    """Two all-reduces per layer forward, two backward, and two more if it is recomputed
    (Megatron-LM, arXiv:1909.08053, section 3); sequence parallelism moves as many bytes. Recomputed
    by operation, their reduce-scatters are kept, and only the all-gathers are repeated."""
    times = {"operations": 5, "full": 6}.get(plan.recompute, 4)
    size = BYTES * tokens_per_pass(plan) * plan.shape.d_model
    group = Group(plan.tp, 1)
    time = times * plan.layers_per_stage * all_reduce(size, group, plan.accelerator, c)
    return exposed(time, matmul, c) if plan.async_tensor else time


def _context(plan: Plan, attention: float, c: Coefficients) -> float:
    """Keys and values travel round the ring, and their gradients back, overlapped with attention
    (Ring Attention, arXiv:2310.01889)."""
    if plan.cp == 1:
        return 0.0
    shape = plan.shape
    width = shape.kv_heads * (shape.head_dim + shape.value_dim) / plan.tp
    size = 3 * BYTES * tokens_per_pass(plan) * width * plan.cp
    group = Group(plan.cp, plan.tp)
    time = plan.layers_per_stage * all_gather(size, group, plan.accelerator, c)
    return exposed(time, attention, c)


def _expert(plan: Plan, matmul: float, c: Coefficients) -> float:
    """Tokens travel to their experts and back, forward and backward (GShard, arXiv:2006.16668).

    With virtual stages, the communication of one micro-batch overlaps with the products of another
    (DualPipe, arXiv:2412.19437, section 3.2.1; Megatron-LM's `--overlap-moe-expert-parallel-comm`,
    which requires virtual stages).
    """
    shape = plan.shape
    if plan.ep == 1 or not shape.experts:
        return 0.0
    times = 6 if plan.recompute == "full" else 4
    size = BYTES * tokens_per_pass(plan) * shape.d_model / plan.tp
    once = dispatch(size, shape.experts_per_token, Group(plan.ep, 1), plan.accelerator, c)
    time = times * shape.moe_layers / plan.pp * once
    return exposed(time, matmul, c) if plan.interleave > 1 else time


def _bubble(plan: Plan, stage: Stage) -> float:
    """One micro-batch passes all other stages while the slowest waits, or with virtual stages a
    part of each (Megatron-LM, arXiv:2104.04473, sections 2.2.1 and 2.2.2)."""
    return (plan.pp - 1) / plan.interleave * (stage.total - stage.head)


def _slowest(plan: Plan, c: Coefficients) -> float:
    """How much slower than the mean the slowest node is: the expected maximum of n normal
    deviations tends to sqrt(2 ln n) (Cramér 1946, "Mathematical Methods of Statistics", section
    28.6)."""
    return c.jitter * math.sqrt(2 * math.log(max(plan.gpus / GPUS_PER_NODE, 1.0)))


def _pipeline(plan: Plan, stage: Stage, c: Coefficients) -> float:
    """Activations go to the next stage and gradients to the previous one, for every virtual stage,
    one part per tensor-parallel rank (Megatron-LM, arXiv:2104.04473, section 4.1)."""
    if plan.pp == 1:
        return 0.0
    size = BYTES * tokens_per_pass(plan) * plan.shape.d_model / plan.tp
    stride = plan.tp * plan.cp * plan.dp
    time = 2 * plan.interleave * send(size, stride, plan.accelerator, c)
    return exposed(time, stage.total, c) if plan.overlaps else time


def _data(plan: Plan, stage: Stage, c: Coefficients) -> float:
    """Gradients are summed over the replicas; sharded parameters are gathered for each pass."""
    gpu, replicas = plan.accelerator, Group(plan.dp * plan.cp, plan.tp)
    if replicas.size == 1:
        return 0.0
    here = parameters_per_rank(plan)
    if plan.sharding == "parameters":
        size = BYTES * here
        times = 2 if plan.adapters else 3  # forward, backward, gradients
        once = times * all_gather(size, replicas, gpu, c)
        return plan.micro_batches * exposed(once, stage.total, c)
    if plan.adapters:
        return 0.0
    if plan.sharding == "none":
        time = all_reduce(BYTES * here, replicas, gpu, c)
    else:
        time = all_gather((GRADIENT_BYTES + BYTES) * here, replicas, gpu, c)
    return exposed(time, stage.total, c) if plan.overlaps else time


def _optimizer(plan: Plan, c: Coefficients) -> float:
    if plan.adapters:
        return 0.0
    shared = 1 if plan.sharding == "none" else plan.dp * plan.cp
    state = UPDATE_BYTES * parameters_per_rank(plan) / shared
    return c.optimizer * state / (c.memory * plan.accelerator.memory_bandwidth)


def parameters_per_rank(plan: Plan) -> float:
    """Number of parameters per rank, before data-parallel sharding."""
    shape = plan.shape
    experts = shape.moe_layers * shape.experts * shape.expert_weights
    rest = shape.parameters - experts
    return (rest / plan.tp + experts / max(plan.ep, plan.tp)) / plan.pp

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
from llmlab.cluster.physics.kernels import BYTES, FLASH_BACKWARD, Pass, Rates, tokens_per_pass
from llmlab.cluster.physics.plan import BY_OPERATION, Plan

OPTIMIZER_BYTES = 28
"""Bytes per parameter: Adam reads gradient, master weight and two moments, and writes master weight
and moments (4 + 4 + 8 + 4 + 8 bytes)."""

EARLY_STOP_SINCE = 2022
"""Year of the first accelerators whose published runs use PyTorch 2.1 (2023) or later."""


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
    """Seconds of the forward and backward pass of one micro-batch through one pipeline stage."""

    matmul: float
    attention: float
    elementwise: float
    recompute: float
    launch: float
    tensor: float
    context: float
    expert: float

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
    bubble = (plan.pp - 1) / plan.interleave * stage.total
    pipeline = passes * _pipeline(plan, stage, c)
    data = _data(plan, stage, c)
    update = _optimizer(plan, c)
    slowest = c.jitter * math.sqrt(2 * math.log(max(plan.gpus / 8, 1.0)))
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
        waiting=slowest * (busy + bubble + pipeline + data + update),
    )


def stage_time(plan: Plan, c: Coefficients) -> Stage:
    """The time of the slowest stage: the one with the head, unless uneven layers compensate."""
    rates = Rates.of(plan, c)
    shape = plan.shape
    dense = shape.layers - shape.moe_layers
    attention = kernels.attention_layer(plan, rates, c)
    layers = [(shape.layers, attention), (dense, kernels.dense_layer(plan, rates, c))]
    if shape.moe_layers:
        layers.append((shape.moe_layers, kernels.expert_layer(plan, rates, c)))
    forward = Pass(
        matmul=sum(count * layer.matmul for count, layer in layers) / plan.pp,
        attention=sum(count * layer.attention for count, layer in layers) / plan.pp,
        elementwise=sum(count * layer.elementwise for count, layer in layers) / plan.pp,
    )
    relieved = shape.layers % plan.pp != 0
    head = kernels.head(plan, rates) / (plan.pp if relieved else 1)
    backward = FLASH_BACKWARD if plan.is_flash else 2.0
    products = 2 if plan.adapters else 3  # forward, gradients of inputs, gradients of weights
    matmul = products * (forward.matmul + head)
    core = (1 + backward) * forward.attention
    elementwise = 3 * forward.elementwise
    tensor = _tensor(plan, matmul, c)
    expert = _expert(plan, matmul, c)
    recompute = _recompute(plan, forward)
    busy = matmul + core + elementwise + recompute + tensor + expert
    host = _host(plan, c)
    return Stage(
        matmul=matmul,
        attention=core,
        elementwise=elementwise,
        recompute=recompute,
        launch=host**4 / (host**3 + busy**3),
        tensor=tensor,
        context=_context(plan, core, c),
        expert=expert,
    )


def _recompute(plan: Plan, forward: Pass) -> float:
    """Repeated parts of a stage's forward pass.

    PyTorch stops at the last activation that the backward pass needs, so it never repeats a layer's
    last product (`torch.utils.checkpoint`, non-reentrant variant, from version 2.1).
    """
    recent = plan.accelerator.year >= EARLY_STOP_SINCE
    stops_early = plan.software in BY_OPERATION and recent
    return {
        "none": 0.0,
        "selective": 0.0 if plan.is_flash else forward.attention,
        "operations": plan.shape.every_second_share * forward.matmul + forward.elementwise,
        "full": forward.total - (plan.shape.last_share * forward.matmul if stops_early else 0.0),
    }[plan.recompute]


def _host(plan: Plan, c: Coefficients) -> float:
    """Seconds that the host takes to launch a stage's kernels; a backward pass has twice as many as
    a forward pass."""
    passes = 4 if plan.recompute in ("operations", "full") else 3
    return passes * c.launch * plan.layers_per_stage


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


def _pipeline(plan: Plan, stage: Stage, c: Coefficients) -> float:
    """Activations go to the next stage and gradients to the previous one, for every virtual stage,
    one part per tensor-parallel rank (Megatron-LM, arXiv:2104.04473, section 4.1)."""
    if plan.pp == 1:
        return 0.0
    size = BYTES * tokens_per_pass(plan) * plan.shape.d_model / plan.tp
    stride = plan.tp * plan.cp * plan.dp
    time = 2 * plan.interleave * send(size, stride, plan.accelerator, c)
    return exposed(time, stage.total, c) if plan.is_flash else time


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
        time = all_gather((4 + BYTES) * here, replicas, gpu, c)
    return exposed(time, stage.total, c) if plan.is_flash else time


def _optimizer(plan: Plan, c: Coefficients) -> float:
    if plan.adapters:
        return 0.0
    shared = 1 if plan.sharding == "none" else plan.dp * plan.cp
    state = OPTIMIZER_BYTES * parameters_per_rank(plan) / shared
    return c.optimizer * state / (c.memory * plan.accelerator.memory_bandwidth)


def parameters_per_rank(plan: Plan) -> float:
    """Number of parameters per rank, before data-parallel sharding."""
    shape = plan.shape
    experts = shape.moe_layers * shape.experts * shape.expert_weights
    rest = shape.parameters - experts
    return (rest / plan.tp + experts / max(plan.ep, plan.tp)) / plan.pp

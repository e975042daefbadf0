"""Memory of one accelerator, by use.

Activations as in Korthikanti et al. 2022 (arXiv:2205.05198), equations 1 to 6, generalised to
grouped queries, gated layers and experts: for a GPT without parallelism a layer holds
s·b·d·(34 + 5·a·s/d) bytes. The state of a parameter as in ZeRO (arXiv:1910.02054), section 3.1.
"""

from dataclasses import dataclass, fields

from llmlab.cluster.physics.kernels import BYTES, tokens_per_pass
from llmlab.cluster.physics.plan import PYTORCH, Plan
from llmlab.cluster.physics.step import GRADIENT_BYTES, parameters_per_rank

OPTIMIZER_BYTES = 12
"""Bytes per parameter: master weight and two moments in 32 bits."""
OUTER_BYTES = 10
"""Bytes per token and d_model value: inputs of two norms, of attention and of the feed-forward
layer, and the masks of two dropouts (arXiv:2205.05198, section 4.1)."""
LOGIT_BYTES = 14
"""Bytes per logit in PyTorch's loss: itself in 16 bits, and in 32 bits a copy, its log-softmax and
a gradient; agrees with torchtitan's peaks (`data/published_memory.csv`)."""
FUSED_LOGIT_BYTES = 6
"""Bytes per logit in a fused loss: 16 bits, and 32 bits of workspace."""
WORKSPACE = 3e9
"""Bytes for CUDA, NCCL and the libraries: an assumption of typical size."""


@dataclass(frozen=True)
class MemoryUse:
    """Bytes on the fullest accelerator."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    workspace: float

    @property
    def total(self) -> float:
        return sum(getattr(self, part.name) for part in fields(self))


def memory_use(plan: Plan) -> MemoryUse:
    """Memory of one accelerator in the fullest stage."""
    here = parameters_per_rank(plan)
    replicas = plan.dp * plan.cp
    stage = ("none", "optimizer", "gradients", "parameters").index(plan.sharding)
    trained = 0.0 if plan.adapters else here
    unsharded = _gathered(plan, GRADIENT_BYTES) if plan.pp > 1 and not plan.adapters else 0.0
    return MemoryUse(
        weights=BYTES * here / (replicas if stage == 3 else 1) + _gathered(plan, BYTES),
        gradients=GRADIENT_BYTES * trained / (replicas if stage >= 2 else 1) + unsharded,
        optimizer=OPTIMIZER_BYTES * trained / (replicas if stage >= 1 else 1),
        activations=activations(plan),
        logits=logits(plan),
        workspace=WORKSPACE,
    )


def logits(plan: Plan) -> float:
    """Bytes of the output layer and its loss."""
    each = LOGIT_BYTES if plan.software in PYTORCH else FUSED_LOGIT_BYTES
    return each * tokens_per_pass(plan) * plan.shape.vocab / plan.tp


def _gathered(plan: Plan, size: int) -> float:
    """Bytes of gathered sharded parameters, `size` each: those of two layers, or in a pipeline all
    of the stage, since its next micro-batch follows soon (arXiv:2407.21783, section 3.3.2)."""
    if plan.sharding != "parameters":
        return 0.0
    layers = plan.layers_per_stage if plan.pp > 1 else min(2.0, plan.layers_per_stage)
    return size * parameters_per_rank(plan) * layers / plan.layers_per_stage


def activations(plan: Plan) -> float:
    """Bytes that the first stage keeps until its backward passes."""
    layers = plan.layers_per_stage
    in_flight = min(plan.pp, plan.micro_batches)
    if plan.interleave > 1:
        in_flight *= 1 + (plan.pp - 1) / (plan.pp * plan.interleave)
    if plan.recompute == "full":
        split = plan.tp if plan.sequence_parallel else 1
        kept = BYTES * tokens_per_pass(plan) * plan.shape.d_model / split
        return in_flight * layers * kept + layer_activations(plan)
    return in_flight * layers * layer_activations(plan)


def layer_activations(plan: Plan) -> float:
    """Bytes that one layer keeps for its backward pass, without full recomputation."""
    shape, tokens = plan.shape, tokens_per_pass(plan)
    split = plan.tp if plan.sequence_parallel else 1
    if plan.recompute == "operations":
        return tokens * BYTES * (shape.d_model / split + _kept_by_operation(plan) / plan.tp)
    outer = OUTER_BYTES * shape.d_model / split
    heads = shape.heads * (shape.head_dim + shape.value_dim)
    keys = shape.kv_heads * (shape.head_dim + shape.value_dim)
    inner = BYTES * (heads + keys + _feed_forward_width(plan))
    scores = 0.0
    if not plan.is_flash and plan.recompute == "none":
        scores = 5 * shape.heads * plan.seq_len
    return tokens * (outer + (inner + scores) / plan.tp)


def _kept_by_operation(plan: Plan) -> float:
    """Values per token that PyTorch's selective recomputation keeps in a layer: the output of
    attention, and of every second matrix product (torchtitan, arXiv:2410.06511)."""
    shape = plan.shape
    qkv = shape.heads * shape.head_dim + shape.kv_heads * (shape.head_dim + shape.value_dim)
    up = _feed_forward_width(plan) * (1 - 1 / shape.feed_forward_matrices)
    return shape.heads * shape.value_dim + (qkv + up + 2 * shape.d_model) / 2


def _feed_forward_width(plan: Plan) -> float:
    shape = plan.shape
    if not shape.experts:
        return shape.feed_forward_matrices * shape.d_ff
    visits = shape.experts_per_token + shape.shared_experts
    return visits * (shape.feed_forward_matrices * shape.expert_d_ff + 2 * shape.d_model)

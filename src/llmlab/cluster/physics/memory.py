"""Memory of one accelerator, by what fills it.

Activations as in Korthikanti et al. 2022 (arXiv:2205.05198), equations 1 to 6, generalised to
grouped queries, gated layers and experts: for a GPT without parallelism a layer holds
s·b·d·(34 + 5·a·s/d) bytes. The state of a parameter as in ZeRO (arXiv:1910.02054), section 3.1.
"""

from dataclasses import dataclass, fields

from llmlab.cluster.physics.kernels import BYTES, tokens_per_pass
from llmlab.cluster.physics.plan import Plan
from llmlab.cluster.physics.step import parameters_per_rank

GRADIENT_BYTES = 4
OPTIMIZER_BYTES = 12
"""Of a parameter: master weight and two moments in 32 bits."""
OUTER_BYTES = 10
"""Of a token and d_model value: inputs of two norms, of attention and of the feed-forward layer,
and the masks of two dropouts (arXiv:2205.05198, section 4.1)."""
WORKSPACE = 3e9
"""Bytes that CUDA, NCCL and the libraries take: an assumption, of the usual size."""


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
    """What one accelerator of the fullest stage holds."""
    here = parameters_per_rank(plan)
    replicas = plan.dp * plan.cp
    stage = ("none", "optimizer", "gradients", "parameters").index(plan.sharding)
    gathered = 2 * BYTES * here / plan.layers_per_stage if stage == 3 else 0.0
    return MemoryUse(
        weights=BYTES * here / (replicas if stage == 3 else 1) + gathered,
        gradients=GRADIENT_BYTES * here / (replicas if stage >= 2 else 1),
        optimizer=OPTIMIZER_BYTES * here / (replicas if stage >= 1 else 1),
        activations=activations(plan),
        logits=tokens_per_pass(plan) * plan.shape.vocab / plan.tp * (BYTES + 4),
        workspace=WORKSPACE,
    )


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
    """Bytes that one layer keeps for its backward pass, without recomputation of all of it."""
    shape, tokens = plan.shape, tokens_per_pass(plan)
    split = plan.tp if plan.sequence_parallel else 1
    outer = OUTER_BYTES * shape.d_model / split
    heads = shape.heads * (shape.head_dim + shape.value_dim)
    keys = shape.kv_heads * (shape.head_dim + shape.value_dim)
    inner = BYTES * (heads + keys + _feed_forward_width(plan))
    scores = 0.0
    if not plan.is_flash and plan.recompute == "none":
        scores = 5 * shape.heads * plan.seq_len
    return tokens * (outer + (inner + scores) / plan.tp)


def _feed_forward_width(plan: Plan) -> float:
    shape = plan.shape
    if not shape.experts:
        return shape.feed_forward_matrices * shape.d_ff
    visits = shape.experts_per_token + shape.shared_experts
    return visits * (shape.feed_forward_matrices * shape.expert_d_ff + 2 * shape.d_model)

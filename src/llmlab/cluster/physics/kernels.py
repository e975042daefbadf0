"""Time of one layer's kernels on one accelerator: a roofline that adds compute and memory time.

A matrix product of (m, k) and (k, n) takes its floating-point operations at a share of the peak,
plus its operands and result at a share of the memory bandwidth. The sum, instead of the maximum
(Williams et al. 2009, "Roofline"), makes small and narrow products slow: the cost of their shape is
1/m + 1/k + 1/n.
"""

from dataclasses import dataclass, replace

from llmlab.cluster.physics.coefficients import Coefficients
from llmlab.cluster.physics.plan import Plan

HIGHEST_POWER = {"hopper": 700.0}
"""Watts for which a family's share of the peak is given; of other families, each catalogue entry's
own limit, for which its peak is stated."""
BYTES = 2
"""Bytes per activation."""
OUTER_PASSES = 5
"""Passes over d_model values around attention or a feed-forward layer: a norm reads and writes, a
residual connection reads twice and writes."""
FLASH_BACKWARD = 2.5
"""Ratio of backward to forward FLOPs of fused attention (arXiv:2205.14135, appendix B)."""


@dataclass(frozen=True)
class Rates:
    """Rates that one accelerator achieves in a plan, in FLOP/s and bytes/s."""

    layer: float
    head: float
    attention: float
    memory: float

    @classmethod
    def of(cls, plan: Plan, c: Coefficients) -> "Rates":
        gpu = plan.accelerator
        highest = HIGHEST_POWER.get(gpu.family, gpu.power)
        capped = min(gpu.power / highest, 1.0) ** c.power
        bits = plan.bits if gpu.peak(plan.bits) > gpu.peak(16) else 16
        wide = gpu.peak(16) * c.gemm(gpu.family, 16) * capped
        flash = gpu.peak(16) * c.flash(gpu.family, plan.software)
        return cls(
            layer=gpu.peak(bits) * c.gemm(gpu.family, bits) * capped,
            head=wide,
            attention=flash if plan.is_flash else wide,
            memory=c.memory * gpu.memory_bandwidth,
        )


@dataclass(frozen=True)
class Pass:
    """Seconds of one forward pass, by kind of kernel."""

    matmul: float
    attention: float
    elementwise: float

    @property
    def total(self) -> float:
        return self.matmul + self.attention + self.elementwise


def tokens_per_pass(plan: Plan) -> float:
    """Number of tokens of a micro-batch on one rank."""
    return plan.micro_batch * plan.seq_len / plan.cp


def matmul(m: float, k: float, n: float, rate: float, memory: float) -> float:
    """Seconds of a product of (m, k) and (k, n)."""
    return 2 * m * k * n / rate + BYTES * (m * k + k * n + m * n) / memory


def attention_layer(plan: Plan, rates: Rates, c: Coefficients) -> Pass:
    """Time of one attention layer, forward."""
    shape, tp, tokens = plan.shape, plan.tp, tokens_per_pass(plan)
    queries = shape.heads * shape.head_dim / tp
    values = shape.heads * shape.value_dim / tp
    weights = shape.attention_weights / tp
    out = shape.d_model * values
    inner = (weights - out) / shape.d_model
    products = matmul(tokens, shape.d_model, inner, rates.layer, rates.memory)
    products += matmul(tokens, values, shape.d_model, rates.layer, rates.memory)
    return Pass(
        matmul=products,
        attention=_attention(plan, tokens, queries + values, rates, c),
        elementwise=_elementwise(plan, tokens, 2 * inner + values, rates, c),
    )


def dense_layer(plan: Plan, rates: Rates, c: Coefficients) -> Pass:
    """Time of one dense feed-forward layer, forward."""
    shape, tokens = plan.shape, tokens_per_pass(plan)
    width = shape.d_ff / plan.tp
    return Pass(
        matmul=_feed_forward(plan, tokens, width, rates),
        attention=0.0,
        elementwise=_elementwise(plan, tokens, _inner_traffic(plan, width), rates, c),
    )


def expert_layer(plan: Plan, rates: Rates, c: Coefficients) -> Pass:
    """Time of one layer of experts, forward, with tokens spread evenly over them.

    Each expert is on one rank as a whole; tensor-parallel ranks share the tokens.
    """
    shape, tokens = plan.shape, tokens_per_pass(plan) / plan.tp
    width = shape.expert_d_ff
    here = shape.experts / plan.ep
    routed = tokens * shape.experts_per_token
    grouped = replace(rates, layer=rates.layer * c.grouped)
    time = here * _feed_forward(plan, routed / here, width, grouped)
    time += shape.shared_experts * _feed_forward(plan, tokens, width, rates)
    time += matmul(tokens, shape.d_model, shape.experts, rates.head, rates.memory)
    visits = shape.experts_per_token + shape.shared_experts
    sorting = 4 * visits * shape.d_model  # by expert and back, a read and a write each
    inner = visits * _inner_traffic(plan, width) + sorting
    return Pass(time, 0.0, _elementwise(plan, tokens, inner, rates, c))


def head(plan: Plan, rates: Rates) -> float:
    """Seconds of the output layer and its loss, forward."""
    shape, tokens = plan.shape, tokens_per_pass(plan)
    vocab = shape.vocab / plan.tp
    loss = 3 * 4 * tokens * vocab / rates.memory  # read, exponentiate, write in 32 bits
    return matmul(tokens, shape.d_model, vocab, rates.head, rates.memory) + loss


def _feed_forward(plan: Plan, tokens: float, width: float, rates: Rates) -> float:
    d, columns = plan.shape.d_model, width * (plan.shape.feed_forward_matrices - 1)
    up = matmul(tokens, d, columns, rates.layer, rates.memory)
    return up + matmul(tokens, width, d, rates.layer, rates.memory)


def _inner_traffic(plan: Plan, width: float) -> float:
    """Number of values that the activation function reads and writes per token."""
    return width * plan.shape.feed_forward_matrices


def _attention(plan: Plan, tokens: float, width: float, rates: Rates, c: Coefficients) -> float:
    """Seconds for scores, softmax and weighted sum; fused attention skips masked scores."""
    if plan.is_flash:
        return 2 * tokens * width * plan.shape.attended(plan.seq_len) / rates.attention
    scores = tokens * plan.seq_len * plan.shape.heads / plan.tp
    return 2 * tokens * width * plan.seq_len / rates.attention + (
        c.softmax * BYTES * scores / rates.memory
    )


def _elementwise(plan: Plan, tokens: float, inner: float, rates: Rates, c: Coefficients) -> float:
    """Seconds for norms, residuals and activation functions: `OUTER_PASSES` over d_model values per
    token, and `inner` values, which are always split over the tensor-parallel ranks."""
    split = plan.tp if plan.sequence_parallel else 1
    often = getattr(c, f"elementwise_{plan.software}")
    values = often * (OUTER_PASSES * plan.shape.d_model / split + inner)
    if plan.bits < 16:
        values += c.quantise(plan.software) * (2 * plan.shape.d_model + inner)
    return BYTES * tokens * values / rates.memory

"""A plan: the layout of a training step over the accelerators."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from llmlab.cluster.physics.hardware import Accelerator
from llmlab.cluster.physics.shapes import Shape
from llmlab.method.errors import LabError

Sharding = Literal["none", "optimizer", "gradients", "parameters"]
Recompute = Literal["none", "selective", "operations", "full"]
Software = Literal["plain", "eager", "compiled", "fused"]
RECOMPUTES = ("none", "selective", "operations", "full")
COUNTS = ("gpus", "seq_len", "global_batch", "micro_batch", "tp", "pp", "cp", "ep", "interleave")
"""Fields of a plan that are at least 1."""
PYTORCH = ("eager", "compiled")
"""Software that leaves the loss and recomputation to PyTorch itself."""


@dataclass(frozen=True)
class Plan:
    """One training step of a model on a cluster.

    Ranks are ordered as in Megatron: tensor parallelism varies fastest, then context, data and
    pipeline parallelism. Experts are spread over the ranks of context and data parallelism.

    Attributes:
        gpus: total number of accelerators.
        tp, pp, cp, ep: sizes of tensor, pipeline, context and expert parallelism.
        seq_len: tokens per sequence.
        global_batch, micro_batch: sequences per step, and per pass of one data-parallel rank.
        interleave: virtual pipeline stages per rank; 1 for none.
        sharding: what data-parallel ranks shard: stages 1 to 3 of ZeRO; the last is FSDP.
        recompute: what the backward pass repeats of the forward pass. selective: the core of
            attention, as in Megatron-LM (arXiv:2205.05198, section 5). operations: all but
            attention and the first, third, … matrix product of a layer, as torchtitan selects
            (arXiv:2410.06511; `_apply_ac_to_transformer_block` in its code). full: everything.
        early_stop: whether full recomputation stops at the last activation that the backward pass
            needs, so that it never repeats a layer's last product: the argument of this name of
            PyTorch's `torch.utils.checkpoint`, without reentrant autograd; the default there from
            version 2.1 (pytorch/pytorch#96866). Megatron-LM's own recomputation does not stop.
        bits: bits of the operands of the layers' matrix products; attention stays at 16.
        sequence_parallel: whether norms and dropout are split over the tensor-parallel ranks.
        async_tensor: whether tensor-parallel communication overlaps with matrix products.
        adapters: whether only low-rank adapters are trained (LoRA): the other weights have no
            gradients.
        software: plain: Megatron-LM before FlashAttention, without overlapped communication;
            eager: the first FlashAttention kernels and overlapped gradients, as in FSDP without a
            compiler; compiled: the same with a compiler; fused: Transformer Engine's kernels.
    """

    shape: Shape
    accelerator: Accelerator
    gpus: int
    seq_len: int
    global_batch: int
    micro_batch: int = 1
    tp: int = 1
    pp: int = 1
    cp: int = 1
    ep: int = 1
    interleave: int = 1
    sharding: Sharding = "none"
    recompute: Recompute = "none"
    early_stop: bool = False
    bits: int = 16
    sequence_parallel: bool = False
    async_tensor: bool = False
    adapters: bool = False
    software: Software = "fused"

    @cached_property
    def dp(self) -> int:
        """Number of data-parallel replicas."""
        return self.gpus // (self.tp * self.pp * self.cp)

    @cached_property
    def micro_batches(self) -> float:
        """Passes per data-parallel rank; a fraction if a published batch does not divide evenly."""
        return max(self.global_batch / (self.dp * self.micro_batch), 1.0)

    @property
    def is_flash(self) -> bool:
        """Whether attention is a fused kernel that never writes its scores."""
        return self.software != "plain"

    @property
    def overlaps(self) -> bool:
        """Whether communication between stages and replicas overlaps with compute."""
        return self.software != "plain"

    @property
    def tokens(self) -> int:
        """Tokens per step."""
        return self.global_batch * self.seq_len

    @property
    def layers_per_stage(self) -> float:
        return self.shape.layers / self.pp


def check(plan: Plan) -> None:
    """Check that a plan is feasible.

    Raises:
        LabError: a size is not positive, or sizes do not divide evenly.
    """
    for name in COUNTS:
        if getattr(plan, name) < 1:
            raise LabError(f"{name} cannot be {getattr(plan, name)}; give a number from 1 up.")
    product = plan.tp * plan.pp * plan.cp
    if plan.gpus % product:
        raise LabError(
            f"tp x pp x cp = {plan.tp} x {plan.pp} x {plan.cp} = {product} does not divide "
            f"{plan.gpus} GPUs; change one of them, or use {nearest_multiple(plan.gpus, product)} "
            "GPUs."
        )
    for mistake in _mistakes(plan):
        raise LabError(mistake)


def fits_evenly(plan: Plan) -> bool:
    """Whether a plan is feasible."""
    product = plan.tp * plan.pp * plan.cp
    return plan.gpus % product == 0 and not any(True for _ in _mistakes(plan))


def _mistakes(plan: Plan) -> Iterator[str]:
    shape = plan.shape
    if shape.heads % plan.tp:
        yield (
            f"tp = {plan.tp} does not divide the {shape.heads} attention heads of {shape.name}: "
            f"take one of {_divisors(shape.heads, 64)}."
        )
    if plan.pp > shape.layers:
        yield (
            f"pp = {plan.pp} has more stages than {shape.name} has layers ({shape.layers}): "
            "take fewer."
        )
    if plan.pp * plan.interleave > shape.layers:
        yield (
            f"interleave = {plan.interleave} with pp = {plan.pp} needs "
            f"{plan.pp * plan.interleave} chunks of layers, and {shape.name} has {shape.layers} "
            "layers: lower it."
        )
    replica = plan.dp * plan.micro_batch
    if plan.global_batch % replica:
        yield (
            f"a global batch of {plan.global_batch} does not divide into {plan.dp} data-parallel "
            f"ranks of micro-batches of {plan.micro_batch}: take "
            f"{nearest_multiple(plan.global_batch, replica)} sequences."
        )
    if plan.seq_len % plan.cp:
        yield f"cp = {plan.cp} does not divide a sequence of {plan.seq_len} tokens: change one."
    if plan.ep > 1 and not shape.experts:
        yield f"ep = {plan.ep}, and {shape.name} has no experts: take ep = 1."
    if shape.experts and (shape.experts % plan.ep or (plan.dp * plan.cp * plan.tp) % plan.ep):
        yield (
            f"ep = {plan.ep} does not divide the {shape.experts} experts of {shape.name} or the "
            f"{plan.dp * plan.cp * plan.tp} ranks of a pipeline stage: take a common divisor."
        )


def nearest_multiple(number: int, of: int) -> int:
    """The multiple of `of` nearest to `number`, at least `of` itself."""
    return max(of, round(number / of) * of)


def _divisors(number: int, most: int) -> str:
    return ", ".join(str(i) for i in range(1, min(number, most) + 1) if number % i == 0)

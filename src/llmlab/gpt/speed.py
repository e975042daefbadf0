"""How fast training is, and how fast it could be."""

import ctypes
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from llmlab.gpt.model import GPTConfig
from llmlab.gpt.training import Point, Precision

PEAK_BFLOAT16 = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10": 125e12,
    "RTX 4090": 165e12,
}
"""Dense bfloat16 flops/s from the makers' data sheets, by words of the device's name."""

LONGEST_PLAIN = 256
"""Tokens up to which a CPU attends by plain products in bfloat16; longer sequences gain less, and
their scores take gigabytes."""

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Names of options in glibc's malloc.h."""


class Throughput:
    """Tokens per second over the last steps; the weight of older ones decays."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._tokens = 0.0

    def see(self, point: Point) -> None:
        """Count a step."""
        self._seconds = 0.95 * self._seconds + point.seconds
        self._tokens = 0.95 * self._tokens + point.tokens

    @property
    def tokens_per_second(self) -> float | None:
        """The speed; None before the first step."""
        return self._tokens / self._seconds if self._seconds else None


def keep_freed_memory() -> None:
    """Let this process reuse the memory that it frees, where glibc is available.

    A training step makes and drops the same large tensors as the step before. Left to itself glibc
    (mallopt(3)) returns each of them to the kernel, which clears its pages anew a moment later.
    The process then holds on to the most memory that it ever needed.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


@contextmanager
def fast_attention(precision: Precision, device: torch.device, context: int) -> Iterator[None]:
    """Attend by plain products where they are faster than PyTorch's fused kernel.

    For short sequences in bfloat16 on a CPU, the fused kernel takes up to 2.5 times as long, its
    backward pass above all. Plain products round the scores to bfloat16. Both switches are named
    after CUDA and hold for CPUs as well.
    """
    if device.type != "cpu" or precision != "bfloat16" or context > LONGEST_PLAIN:
        yield
        return
    before = torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
    torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(before)


def flops_per_token(shape: GPTConfig) -> float:
    """Floating-point operations of one training step for each token of it.

    Six for every weight of a matrix product, the output layer's among them (forward 2, backward
    4), and 12 n_layers d_model context for attention's two products, as if there were no causal
    mask (PaLM, Chowdhery et al. 2022, appendix B).
    """
    d = shape.d_model
    weights = shape.n_layers * 12 * d**2 + shape.vocab_size * d
    return 6 * weights + 12 * shape.n_layers * d * shape.context


def peak_flops(device: torch.device, precision: Precision) -> float | None:
    """Peak flops/s of the device; None where it is not known.

    A GPU's are its data sheet's in bfloat16, for the devices of the table alone; a CPU's are those
    of the fastest of some large matrix products, measured here.
    """
    if device.type != "cuda":
        return _measured_flops(precision)
    if precision != "bfloat16":
        return None
    name = torch.cuda.get_device_name(device)
    return next((f for words, f in PEAK_BFLOAT16.items() if re.search(rf"\b{words}\b", name)), None)


def mfu(shape: GPTConfig, tokens_per_second: float, peak: float) -> float:
    """Model flops utilisation: the share of the peak that goes into the model's own products."""
    return flops_per_token(shape) * tokens_per_second / peak


def memory_bytes(device: torch.device) -> int | None:
    """Bytes in use: the most of CUDA's allocator so far, else of this process; None if unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _measured_flops(precision: Precision, width: int = 1024, n_products: int = 12) -> float:
    """The fastest of some products, so that other work on the machine matters little."""
    a_WW = torch.randn(width, width, dtype=getattr(torch, precision))
    return 2 * width**3 / min(_seconds_of(lambda: a_WW @ a_WW) for _ in range(n_products))


def _seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

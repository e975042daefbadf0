import ctypes
import subprocess
import sys

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.profiler import profile
from torch.utils.flop_counter import FlopCounterMode

from llmlab.gpt.configs import preset
from llmlab.gpt.model import GPT, GPTConfig, next_token_loss
from llmlab.gpt.speed import LONGEST_PLAIN, fast_attention, flops_per_token, mfu, peak_flops

SHAPE = GPTConfig(vocab_size=50, context=16, d_model=32, n_layers=2, n_heads=2)


def test_the_formula_agrees_with_a_count_of_every_product() -> None:
    model = GPT(SHAPE)
    tokens_BT = torch.zeros(3, SHAPE.context, dtype=torch.long)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counted:
        next_token_loss(model(tokens_BT), tokens_BT).backward()
    assert counted.get_total_flops() == flops_per_token(SHAPE) * tokens_BT.numel()


def test_medium_takes_the_known_0_85_gigaflops_a_token() -> None:
    assert flops_per_token(preset("medium").shape) == pytest.approx(0.85e9, rel=0.02)


def test_a_cpu_is_measured() -> None:
    peak = peak_flops(torch.device("cpu"), "float32")
    assert 1e8 < peak < 1e15


@pytest.mark.parametrize(
    ("name", "precision", "expected"),
    [
        ("NVIDIA H200", "bfloat16", 989e12),
        ("NVIDIA H100 PCIe", "bfloat16", 756e12),
        ("NVIDIA H100 80GB HBM3", "bfloat16", 989e12),
        ("NVIDIA H100 NVL", "bfloat16", 835e12),
        ("NVIDIA A100-SXM4-80GB", "bfloat16", 312e12),
        ("NVIDIA A100-SXM4-80GB", "float32", None),
        ("NVIDIA A10G", "bfloat16", None),
        ("NVIDIA L40", "bfloat16", None),
        ("NVIDIA L40S", "bfloat16", 362e12),
        ("NVIDIA L4", "bfloat16", 121e12),
        ("Some other", "bfloat16", None),
    ],
)
def test_the_peak_of_a_gpu_is_looked_up_by_its_name(
    name: str, precision: str, expected: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    assert peak_flops(torch.device("cuda"), precision) == expected


def test_mfu_is_the_share_of_the_peak() -> None:
    assert mfu(SHAPE, 1000, peak=2000 * flops_per_token(SHAPE)) == pytest.approx(0.5)


CPU = torch.device("cpu")


def attended(parts: list[Tensor]) -> Tensor:
    return F.scaled_dot_product_attention(*parts, is_causal=True)


def is_fused(dtype: torch.dtype = torch.bfloat16) -> bool:
    """Whether attention runs as PyTorch's fused kernel now."""
    with profile() as profiled:
        attended([torch.randn(1, 2, 8, 16, dtype=dtype)] * 3)
    return any("flash" in event.name for event in profiled.events())


def test_short_sequences_in_bfloat16_attend_by_plain_products_on_a_cpu() -> None:
    with fast_attention("bfloat16", CPU, LONGEST_PLAIN):
        assert not is_fused()
    assert is_fused()


@pytest.mark.parametrize(
    ("precision", "context"), [("float32", 8), ("bfloat16", LONGEST_PLAIN + 1)]
)
def test_all_others_keep_the_fused_attention(precision: str, context: int) -> None:
    with fast_attention(precision, CPU, context):
        assert is_fused()


def test_after_an_error_attention_is_fused_again_and_rounds_as_before() -> None:
    before = torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
    with pytest.raises(TypeError), fast_attention("bfloat16", CPU, 8):
        attended(["no tensor"])
    assert torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed() == before
    assert is_fused()


def test_plain_attention_and_its_gradients_are_those_of_float32() -> None:
    torch.manual_seed(0)
    exact = [torch.randn(2, 2, 24, 16, requires_grad=True) for _ in range(3)]
    rough = [part.detach().bfloat16().requires_grad_() for part in exact]
    attended(exact).square().sum().backward()
    with fast_attention("bfloat16", CPU, 24):
        rough_BHTK = attended(rough)
        rough_BHTK.square().sum().backward()
    torch.testing.assert_close(rough_BHTK.float(), attended(exact), atol=0.03, rtol=0.03)
    for one, other in zip(rough, exact, strict=True):
        torch.testing.assert_close(one.grad.float(), other.grad, atol=0.1, rtol=0.1)


PAGES_OF_FOUR_STEPS = """
import resource, torch
from llmlab.gpt.speed import keep_freed_memory

weights = torch.ones(8_500_000, requires_grad=True)  # above 32 MiB glibc asks the kernel each time

def step():
    weights.grad = None
    (weights * 2).tanh().mean().backward()

def cleared():
    for _ in range(3):
        step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(cleared())
keep_freed_memory()
print(cleared())
"""


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="glibc's malloc alone is told"
)
def test_steps_that_keep_their_memory_have_few_pages_cleared_by_the_kernel() -> None:
    """Over whole steps, half at most: one tensor may miss its twin's hole (glibc 14581)."""
    command = [sys.executable, "-c", PAGES_OF_FOUR_STEPS]
    done = subprocess.run(command, capture_output=True, check=True)
    before, after = map(int, done.stdout.split())
    assert after * 2 < before

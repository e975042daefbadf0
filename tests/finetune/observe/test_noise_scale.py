import math

import pytest
import torch
from torch import nn

from llmlab.finetune.model.base_model import new_base_model
from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.observe.noise_scale import flat, gradient_noise, measured_noise
from llmlab.finetune.tasks.batches import encode
from llmlab.finetune.tasks.skills import subtraction
from llmlab.gpt.model import next_token_loss


def test_exact_norms_of_two_batch_sizes_give_trace_and_norm_back() -> None:
    trace, squared_norm = 12.0, 3.0
    small, big = (squared_norm + trace / n for n in (4, 64))
    noise = gradient_noise(small, big, 4, 64)
    assert noise.trace == pytest.approx(trace)
    assert noise.squared_norm == pytest.approx(squared_norm)
    assert noise.scale == pytest.approx(trace / squared_norm)


def test_estimates_from_drawn_gradients_are_unbiased() -> None:
    generator = torch.Generator().manual_seed(0)
    mean_P = torch.tensor([1.0, 0.5, 0.0])
    spread_P = torch.tensor([2.0, 1.0, 3.0])
    estimates = []
    for _ in range(2000):
        gradients_NP = mean_P + spread_P * torch.randn(32, 3, generator=generator)
        means_P = gradients_NP.view(8, 4, 3).mean(1)
        small = means_P.square().sum(1).mean().item()
        big = gradients_NP.mean(0).square().sum().item()
        estimates.append(gradient_noise(small, big, 4, 32))
    assert sum(e.trace for e in estimates) / 2000 == pytest.approx(14, rel=0.02)
    assert sum(e.squared_norm for e in estimates) / 2000 == pytest.approx(1.25, rel=0.05)


def test_without_a_signal_the_scale_is_infinite() -> None:
    assert gradient_noise(small=1.0, big=0.05, n_small=1, n_big=16).scale == math.inf


def test_batches_of_one_size_are_refused() -> None:
    with pytest.raises(ValueError, match="not smaller"):
        gradient_noise(1.0, 1.0, 8, 8)


@pytest.fixture
def model() -> nn.Module:
    return new_base_model(d_model=16, n_layers=1, n_heads=2, context=32, seed=0)


def test_measured_norms_are_those_of_the_whole_batch(model: nn.Module) -> None:
    items = [item for item in subtraction().train if len(item.prompt + item.answer) == 8][:16]
    sequences = encode(items)  # answers of one length, so that every item weighs the same
    noise = measured_noise(model, sequences, chunk=4)
    loss = next_token_loss(model(sequences.tokens_NT), sequences.targets_NT)
    whole = flat(torch.autograd.grad(loss, list(model.parameters()))).square().sum().item()
    assert noise.squared_norm + noise.trace / 16 == pytest.approx(whole, rel=1e-4)
    assert noise.trace > 0


def test_only_what_is_trained_counts_and_gradients_stay_untouched(model: nn.Module) -> None:
    sequences = encode(subtraction().train[:8])
    everything = measured_noise(model, sequences, chunk=2)
    adapted = LoraSpec(rank=2, alpha=4).adapt(model, seed=0)
    adapter_only = measured_noise(adapted, sequences, chunk=2)
    assert adapter_only.trace < everything.trace
    assert all(parameter.grad is None for parameter in adapted.parameters())

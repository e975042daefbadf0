import pytest
import torch

from llmlab.finetune.base import new_base
from llmlab.finetune.lora import LoraSpec, add_lora
from llmlab.gpt.model import GPT


def base() -> GPT:
    return new_base(d_model=16, n_layers=2, n_heads=2, context=8, seed=0)


TOKENS_BT = torch.arange(8)[None]


def test_a_fresh_adapter_changes_nothing() -> None:
    expected = base()(TOKENS_BT)
    assert torch.equal(add_lora(base(), LoraSpec(rank=4, alpha=16), seed=0)(TOKENS_BT), expected)


@pytest.mark.parametrize("rank", [1, 4])
def test_only_the_adapter_trains_and_its_size_follows_from_the_rank(rank: int) -> None:
    model = add_lora(base(), LoraSpec(rank=rank, alpha=16), seed=0)
    d = 16
    per_rank = (d + 3 * d) + (d + d) + (d + 4 * d) + (4 * d + d)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert all("lora_" in name for name in trained)
    assert sum(p.numel() for p in trained.values()) == 2 * rank * per_rank


@pytest.mark.parametrize(("scaling", "expected"), [("alpha/r", 16 / 4), ("rslora", 16 / 2)])
def test_the_scaling_rule_is_the_papers(scaling: str, expected: float) -> None:
    model = add_lora(base(), LoraSpec(rank=4, alpha=16, scaling=scaling), seed=0)
    layer = model.base_model.model.blocks[0].attention.qkv
    assert layer.scaling["default"] == expected


def test_the_start_of_an_adapter_follows_from_the_seed() -> None:
    def first_a(seed: int) -> torch.Tensor:
        model = add_lora(base(), LoraSpec(rank=2, alpha=16), seed)
        return model.base_model.model.blocks[0].mlp.up.lora_A["default"].weight

    assert torch.equal(first_a(1), first_a(1))
    assert not torch.equal(first_a(1), first_a(2))

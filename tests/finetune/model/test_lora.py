import pytest
import torch
from peft import LoraConfig, get_peft_model

from llmlab.finetune.model.base_model import new_base_model
from llmlab.finetune.model.lora import LoraLinear, LoraSpec, add_lora
from llmlab.gpt.model import GPT
from llmlab.gpt.training import TrainConfig, train
from llmlab.method.errors import LabError


def base() -> GPT:
    return new_base_model(d_model=16, n_layers=2, n_heads=2, context=8, seed=0)


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
    assert all(name.endswith(("a_RI", "b_RO")) for name in trained)
    assert sum(p.numel() for p in trained.values()) == 2 * rank * per_rank


@pytest.mark.parametrize(("scaling", "expected"), [("alpha/r", 16 / 4), ("rslora", 16 / 2)])
def test_the_scaling_rule_is_the_papers(scaling: str, expected: float) -> None:
    model = add_lora(base(), LoraSpec(rank=4, alpha=16, scaling=scaling), seed=0)
    assert model.blocks[0].attention.qkv.scale == expected


def test_the_start_of_an_adapter_follows_from_the_seed() -> None:
    def first_a(seed: int) -> torch.Tensor:
        return add_lora(base(), LoraSpec(rank=2, alpha=16), seed).blocks[0].mlp.up.a_RI

    assert torch.equal(first_a(1), first_a(1))
    assert not torch.equal(first_a(1), first_a(2))


def test_the_detour_is_what_it_adds_to_the_weight() -> None:
    layer = add_lora(base(), LoraSpec(rank=4, alpha=16), seed=0).blocks[0].mlp.up
    torch.nn.init.normal_(layer.b_RO)
    x_BTI = torch.randn(1, 3, 16)
    expected = torch.nn.functional.linear(
        x_BTI, layer.base.weight + layer.delta_weight(), layer.base.bias
    )
    torch.testing.assert_close(layer(x_BTI), expected)


@pytest.mark.parametrize("scaling", ["alpha/r", "rslora"])
def test_training_equals_that_of_peft_loss_by_loss(scaling: str) -> None:
    spec = LoraSpec(rank=4, alpha=16, scaling=scaling)
    ours = add_lora(base(), spec, seed=0)
    targets = ["qkv", "out", "up", "down"]
    config = LoraConfig(r=4, lora_alpha=16, use_rslora=scaling == "rslora", target_modules=targets)
    theirs = get_peft_model(base(), config)
    copies = [module for module in theirs.modules() if hasattr(module, "lora_A")]
    layers = [module for module in ours.modules() if isinstance(module, LoraLinear)]
    for copy, layer in zip(copies, layers, strict=True):
        copy.lora_A["default"].weight.data.copy_(layer.a_RI)
    settings = TrainConfig(learning_rate=1e-2, steps=8, log_every=1)

    def losses(model: torch.nn.Module) -> list[float]:
        batches = iter([(TOKENS_BT[:, :-1], TOKENS_BT[:, 1:])] * 8)
        return [loss for _, loss in train(model, batches, settings).curve("loss")]

    assert losses(ours) == pytest.approx(losses(theirs), rel=1e-5)


def test_only_the_named_layers_get_an_adapter() -> None:
    model = add_lora(base(), LoraSpec(rank=2, alpha=4, target_modules=("up", "down")), seed=0)
    adapted = {n.rpartition(".")[2] for n, m in model.named_modules() if isinstance(m, LoraLinear)}
    assert adapted == {"up", "down"}


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (LoraSpec(2, 4, target_modules=("q_proj",)), "no layer 'q_proj'.*qkv, out, up, down"),
        (LoraSpec(2, 4, target_modules=("norm",)), "'norm' is a LayerNorm"),
        (LoraSpec(17, 4), "rank 17 is above the width 16 of the layer blocks.0.attention.qkv"),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused_and_nothing_is_changed(
    spec: LoraSpec, reason: str
) -> None:
    model = base()
    with pytest.raises(LabError, match=reason):
        add_lora(model, spec, seed=0)
    assert all(parameter.requires_grad for parameter in model.parameters())

import copy
import itertools

import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from llmlab.finetune.model.base_model import new_base_model
from llmlab.finetune.model.lora import LoraLinear, LoraSpec
from llmlab.finetune.model.qlora import (
    FourBit,
    QloraSpec,
    dequantise,
    is_quantised,
    quantise,
    quantised_layers,
)
from llmlab.finetune.observe.quantisation import quantisation_report
from llmlab.gpt.model import GPT
from llmlab.gpt.training import TrainConfig, best_device, evaluate, train
from llmlab.method.errors import LabError

TOKENS_BT = torch.arange(8)[None]
SPEC = QloraSpec(LoraSpec(rank=4, alpha=8))


def base() -> GPT:
    model = new_base_model(d_model=64, n_layers=2, n_heads=2, context=8, seed=0)
    return model.to(best_device())


def tokens() -> torch.Tensor:
    return TOKENS_BT.to(best_device())


def trained(model: nn.Module, steps: int = 5) -> list[float]:
    batch = (tokens()[:, :-1], tokens()[:, 1:])
    config = TrainConfig(learning_rate=1e-2, steps=steps, log_every=1)
    return [loss for _, loss in train(model, itertools.repeat(batch), config).curve("loss")]


def test_every_linear_layer_but_the_output_layer_has_four_bits() -> None:
    model = quantise(base(), FourBit())
    names = [name for name, _ in quantised_layers(model)]
    parts = ("attention.qkv", "attention.out", "mlp.up", "mlp.down")
    assert names == [f"blocks.{block}.{part}" for block in range(2) for part in parts]
    assert not is_quantised(model.head)


@pytest.mark.parametrize("width", [48, 64])
@pytest.mark.parametrize("double", [True, False])
def test_a_quantised_layer_is_linear_in_its_dequantised_weight(double: bool, width: int) -> None:
    plain = nn.Linear(width, 96)
    quantised = quantise(nn.Sequential(plain), FourBit(double_quantisation=double))[0]
    x_BI = torch.randn(3, width)
    expected = nn.functional.linear(x_BI, dequantise(quantised), plain.bias)
    torch.testing.assert_close(quantised(x_BI), expected)


def test_the_gradient_passes_through_the_dequantised_weight() -> None:
    quantised = quantise(nn.Sequential(nn.Linear(64, 96)), FourBit())[0]
    x_BI = torch.randn(3, 64, requires_grad=True)
    quantised(x_BI).sum().backward()
    expected = dequantise(quantised).sum(dim=0).expand(3, -1)
    torch.testing.assert_close(x_BI.grad, expected)


def test_the_adapters_gradient_is_that_of_lora_on_the_dequantised_base() -> None:
    four_bits = SPEC.adapt(base(), seed=0)
    whole = base()
    for name, layer in quantised_layers(four_bits):
        whole.get_submodule(name).weight.data = dequantise(layer)
    whole = SPEC.lora.adapt(whole, seed=0)
    for model in (four_bits, whole):
        model(tokens()).square().sum().backward()
    gradients = [
        {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
        for model in (four_bits, whole)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-6)


def test_only_the_adapter_is_trained() -> None:
    model = SPEC.adapt(base(), seed=0)
    assert all(
        name.endswith(("a_RI", "b_RO")) for name, p in model.named_parameters() if p.requires_grad
    )
    before = {name: dequantise(layer) for name, layer in quantised_layers(model)}
    losses = trained(model)
    assert losses[-1] < losses[0]
    for name, layer in quantised_layers(model):
        assert torch.equal(dequantise(layer), before[name])


def test_the_adapter_starts_as_on_the_unquantised_base() -> None:
    first = [
        [
            module.a_RI
            for module in method.adapt(base(), seed=3).modules()
            if hasattr(module, "a_RI")
        ]
        for method in (SPEC, SPEC.lora)
    ]
    assert all(map(torch.equal, *first))


def test_training_goes_on_after_an_evaluation() -> None:
    model = SPEC.adapt(base(), seed=0)
    first = trained(model)
    logits = model(tokens())
    evaluate(model, tokens()[:, :-1], tokens()[:, 1:])
    assert torch.equal(model(tokens()), logits)
    assert trained(model)[0] < first[0]


def test_an_adapter_can_be_saved_and_put_on_a_base_quantised_again() -> None:
    model = SPEC.adapt(base(), seed=0)
    trained(model)
    adapter = {name: p for name, p in model.named_parameters() if p.requires_grad}
    other = SPEC.adapt(base(), seed=1)
    other.load_state_dict(adapter, strict=False)
    assert torch.equal(other(tokens()), model(tokens()))


def test_weights_of_four_bits_are_not_half_loaded() -> None:
    model, other = quantise(base(), FourBit()), quantise(base(), FourBit())
    with pytest.raises(RuntimeError, match=r"Unexpected key.*mlp\.up\.weight\.absmax"):
        other.load_state_dict(model.state_dict())


def test_a_copy_is_the_same_model() -> None:
    model = SPEC.adapt(base(), seed=0)
    assert torch.equal(copy.deepcopy(model)(tokens()), model(tokens()))


def test_moving_a_model_does_not_quantise_it_again() -> None:
    model = quantise(base(), FourBit())
    logits = model(tokens())
    assert torch.equal(model.to("cpu").to(best_device())(tokens()), logits)


def test_a_model_of_four_bits_keeps_its_weights() -> None:
    model = quantise(base(), FourBit())
    weights = {name: layer.weight for name, layer in quantised_layers(model)}
    again = quantise(model, FourBit(block_size=128))
    kept = {name for name, layer in quantised_layers(again) if layer.weight is weights[name]}
    assert weights
    assert kept == weights.keys()


@pytest.mark.parametrize("width", [16, 32, 96, 130])
def test_every_width_is_quantised_as_well_as_any(width: int) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(width, 256))
    report = quantisation_report(copy.deepcopy(model), quantise(model, FourBit()))
    assert report.relative_error < 0.12


def test_a_llama_is_adapted() -> None:
    config = LlamaConfig(
        vocab_size=32, hidden_size=64, intermediate_size=128, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1,
    )  # fmt: skip
    model = SPEC.adapt(LlamaForCausalLM(config).to(best_device()), seed=0)
    assert sum(isinstance(module, LoraLinear) for module in model.modules()) == 7
    assert not is_quantised(model.lm_head)
    model(tokens(), labels=tokens()).loss.backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


def test_layers_that_are_not_linear_are_named() -> None:
    config = GPT2Config(vocab_size=32, n_positions=8, n_embd=32, n_layer=1, n_head=2)
    with pytest.raises(LabError, match=r"linear.*c_attn \(Conv1D\)"):
        SPEC.adapt(GPT2LMHeadModel(config), seed=0)


def test_a_target_that_is_not_linear_is_named() -> None:
    spec = QloraSpec(LoraSpec(rank=2, alpha=4, target_modules=("norm",)))
    with pytest.raises(LabError, match="'norm' is a LayerNorm"):
        spec.adapt(base(), seed=0)


def test_an_impossible_block_size_is_refused() -> None:
    with pytest.raises(LabError, match=r"block of 48 .* 32, 64"):
        FourBit(block_size=48)


def test_a_bias_keeps_its_precision_in_a_product_of_bitsandbytes() -> None:
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64))
    quantised = quantise(layer, FourBit())[0].train()
    quantised.compute_dtype = torch.bfloat16  # as on CUDA
    bias_O = quantised.bias.clone()
    x_BTI = torch.randn(2, 3, 64, dtype=torch.bfloat16)
    h_BTO = quantised.library_product(x_BTI)
    assert quantised.bias.dtype == torch.float32
    assert torch.equal(quantised.bias, bias_O)
    expected_BTO = nn.functional.linear(x_BTI.float(), dequantise(quantised), bias_O)
    torch.testing.assert_close(h_BTO.float(), expected_BTO, rtol=0.02, atol=0.02)

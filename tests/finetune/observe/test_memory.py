import copy
from dataclasses import asdict

import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from llmlab.finetune.model.base_model import new_base_model
from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.model.methods import Full, Method
from llmlab.finetune.model.qlora import FourBit, QloraSpec, quantise
from llmlab.finetune.observe.memory import Memory, _saved_by, measure_memory, predict_memory
from llmlab.gpt.model import GPT
from llmlab.gpt.training import Batch, TrainConfig, Trainer, best_device
from llmlab.method.errors import LabError

LORA = LoraSpec(rank=4, alpha=8)
METHODS = {
    "full": Full(),
    "lora": LORA,
    "qlora": QloraSpec(LORA, FourBit(double_quantisation=False)),
    "qlora-double": QloraSpec(LORA, FourBit()),
    "qlora-large-blocks": QloraSpec(LORA, FourBit(block_size=256)),
}
SHAPE = (4, 8)
by_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def base() -> GPT:
    return new_base_model(d_model=64, n_layers=2, n_heads=2, context=8, seed=0).to(best_device())


def llama() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1,
    )  # fmt: skip
    return LlamaForCausalLM(config).to(best_device())


def batch() -> Batch:
    tokens_BT = torch.arange(32, device=best_device()).view(SHAPE)
    return tokens_BT, tokens_BT


def measured(model: nn.Module, **changes: object) -> Memory:
    def logits(tokens_BT: torch.Tensor) -> torch.Tensor:
        output = model(tokens_BT)
        return output if isinstance(output, torch.Tensor) else output.logits

    config = TrainConfig(learning_rate=1e-3, steps=5, **changes)
    return measure_memory(Trainer(model, config, forward=logits), batch())


def agree(predicted: Memory, found: Memory) -> bool:
    parts = asdict(predicted)
    return parts == pytest.approx(asdict(found), rel=0.1) and predicted.total > 0


@by_method
def test_every_part_is_predicted_within_ten_percent(method: Method) -> None:
    predicted = predict_memory(base(), method, SHAPE)
    assert agree(predicted, measured(method.adapt(base(), seed=0)))


@by_method
def test_every_part_of_a_llama_is_predicted_within_ten_percent(method: Method) -> None:
    predicted = predict_memory(llama(), method, SHAPE)
    assert agree(predicted, measured(method.adapt(llama(), seed=0)))


@by_method
def test_bfloat16_is_predicted_too(method: Method) -> None:
    predicted = predict_memory(base(), method, SHAPE, precision="bfloat16")
    assert agree(predicted, measured(method.adapt(base(), seed=0), precision="bfloat16"))


def test_a_base_of_four_bits_is_predicted_like_one_that_will_be() -> None:
    method = METHODS["qlora-double"]
    quantised = quantise(llama(), method.four_bit)
    assert predict_memory(quantised, method, SHAPE) == predict_memory(llama(), method, SHAPE)


@by_method
def test_a_model_without_numbers_is_predicted_like_one_with_them(method: Method) -> None:
    whole = llama().cpu()
    with torch.device("meta"):
        hollow = LlamaForCausalLM(whole.config)
    assert predict_memory(hollow, method, SHAPE) == predict_memory(whole, method, SHAPE)


def test_a_prediction_changes_neither_model_nor_random_numbers() -> None:
    model = base()
    before = copy.deepcopy(model.state_dict())
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    predict_memory(model, METHODS["qlora"], SHAPE)
    assert torch.equal(torch.rand(3), expected)
    assert all(map(torch.equal, model.state_dict().values(), before.values()))
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_small_full_model_adds_up_by_hand() -> None:
    found = predict_memory(base(), Full(), SHAPE)
    model = base()
    n_tensors = len(list(model.parameters()))
    weights = 4 * model.n_parameters()
    assert (found.weights, found.gradients) == (weights, weights)
    assert found.optimizer == 2 * weights + 4 * n_tensors
    assert (found.constants, found.adapter) == (0, 0)


def test_an_eight_bit_optimizer_needs_a_quarter() -> None:
    whole = predict_memory(base(), LORA, SHAPE)
    eight_bit = predict_memory(base(), LORA, SHAPE, optimizer_bytes=2)
    assert eight_bit.optimizer == pytest.approx(whole.optimizer / 4, rel=0.05)


def test_a_batch_computed_in_parts_saves_less_at_once() -> None:
    whole, parts = (measured(base(), accumulate=n) for n in (1, 4))
    assert parts.activations < 0.3 * whole.activations


def test_a_measured_step_is_a_step() -> None:
    model = base()
    trainer = Trainer(model, TrainConfig(learning_rate=1e-3, steps=2))
    measure_memory(trainer, batch())
    assert trainer.step == 1


def test_what_cannot_be_quantised_cannot_be_predicted() -> None:
    config = GPT2Config(vocab_size=32, n_positions=8, n_embd=32, n_layer=1, n_head=2)
    with pytest.raises(LabError, match="Conv1D"):
        predict_memory(GPT2LMHeadModel(config), METHODS["qlora"], SHAPE)


def test_on_a_gpu_activations_are_the_bytes_that_tensors_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A block of the allocator is larger than the tensor in it; only a GPU has this allocator."""
    requested = iter([1000, 1300])
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 1 << 20)
    monkeypatch.setattr(
        torch.cuda, "memory_stats", lambda: {"requested_bytes.all.current": next(requested)}
    )
    layer = nn.Linear(2, 2)
    with _saved_by(layer) as saved:
        layer(torch.ones(1, 2)).sum().backward()
    assert saved.allocated == 300

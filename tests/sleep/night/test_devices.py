"""A night works where its model is, and leaves adapters on the CPU.

PyTorch's "meta" device stands in for a GPU: it refuses operands of two devices, as a GPU does.
"""

import copy

import pytest
import torch
from torch import Tensor, nn

from llmlab.finetune.model.lora import LoraSpec
from llmlab.gpt.model import GPTConfig
from llmlab.sleep.coder.rotary import RotaryGPT
from llmlab.sleep.night import share
from llmlab.sleep.night.adapters import Adapter, adapter_of, deltas, with_deltas
from llmlab.sleep.night.stacked import Job, adapters_of, joined, new_stack
from llmlab.sleep.night.stream import SPEC, FreshLinear, _factors

ELSEWHERE = "meta"
LORA = LoraSpec(2, 4.0)
TOKENS_BT = torch.zeros(2, 10, dtype=torch.long, device=ELSEWHERE)


@pytest.fixture(autouse=True)
def brought_back(monkeypatch) -> None:
    """What comes from this device has no values, so it comes back as zeros."""
    plain = Tensor.cpu

    def cpu(tensor: Tensor) -> Tensor:
        return torch.zeros(tensor.shape) if tensor.is_meta else plain(tensor)

    monkeypatch.setattr(Tensor, "cpu", cpu)


@pytest.fixture
def model() -> nn.Module:
    return RotaryGPT(GPTConfig(50, 64, 16, 2, 2)).to(ELSEWHERE)


@pytest.fixture
def adapter(model) -> Adapter:
    return adapter_of(LORA.adapt(copy.deepcopy(model), 0))


def is_there(model: nn.Module) -> bool:
    """Whether a step of training stays on the device."""
    model(TOKENS_BT).sum().backward()
    return {parameter.device.type for parameter in model.parameters()} == {ELSEWHERE}


def are_here(*tensors: Tensor) -> bool:
    return {tensor.device.type for tensor in tensors} == {"cpu"}


def test_an_adapter_comes_to_the_cpu_and_is_added_where_the_model_is(model, adapter) -> None:
    assert are_here(*deltas(adapter).values())
    assert is_there(with_deltas(model, deltas(adapter)))


def test_coefficients_train_where_the_model_is(model, adapter) -> None:
    shared = share.share([adapter, adapter], 2)
    trained = share.add_share(copy.deepcopy(model), shared, 2, seed=0)
    assert is_there(trained)
    assert are_here(*share.learned(trained).values())


def test_layers_of_share_train_where_the_model_is(model, adapter) -> None:
    bases = share.share([adapter, adapter], 2).bases
    layers = {
        path: FreshLinear(model.get_submodule(path), basis, 2, SPEC)
        for path, basis in bases.items()
    }
    trained = share.with_layers(model, layers)
    assert is_there(trained)
    assert are_here(*(factors.b_OR for factors in _factors(trained).values()))


def test_a_stack_trains_where_the_model_is(model, adapter) -> None:
    batch = (TOKENS_BT, TOKENS_BT)
    stack = new_stack(model, [Job(iter([batch]), adapter)] * 2, LORA)
    inputs_MT, _ = joined([batch, batch], pad=0)
    assert stack(inputs_MT).device.type == ELSEWHERE
    assert are_here(*(factors.b_OR for each in adapters_of(stack) for factors in each.values()))

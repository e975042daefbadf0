"""What a fine-tuning run keeps in memory, predicted from shapes and measured in a real step.

The prediction runs the model on tensors that have a shape but no values (PyTorch's fake tensors).
It needs almost no memory itself, so it can be made before a large model is trained.

Shapes in names: B batch, T tokens, I width in, O width out.
"""

import copy
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks

from llmlab.finetune.model.lora import LoraLinear
from llmlab.finetune.model.methods import Method
from llmlab.finetune.model.qlora import (
    FourBit,
    QloraSpec,
    constants,
    layers_to_quantise,
    lookup_tables,
    quantised_layers,
)
from llmlab.finetune.model.replacing import replace_module
from llmlab.gpt.model import next_token_loss
from llmlab.gpt.training import Batch, Precision, Trainer

Module = TypeVar("Module", bound=nn.Module)

_FLOAT = 4
_TABLES = {False: 16 * _FLOAT, True: (16 + 256) * _FLOAT}
"""Bytes of a layer's lookup tables, without and with double quantisation."""
_DOUBLE_BLOCK = 256
"""Constants that share a constant of their own."""


@dataclass(frozen=True)
class Memory:
    """Bytes of a model in training, by part.

    Attributes:
        weights: of the base model, trained or frozen, with its buffers.
        constants: what scales 4-bit weights, lookup tables included.
        adapter: weights of the adapter.
        gradients: of everything that is trained.
        optimizer: state of the optimizer.
        activations: what the forward pass leaves for the backward pass, weights apart.
    """

    weights: int
    constants: int
    adapter: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """All parts together: more than is held at once, since gradients replace activations."""
        return sum(astuple(self))


def predict_memory(
    model: nn.Module,
    method: Method,
    shape: tuple[int, int],
    precision: Precision = "float32",
    optimizer_bytes: int | None = None,
) -> Memory:
    """What fine-tuning `model` by `method` will keep in memory, from shapes alone.

    Args:
        model: the base model, before `method` adapts it; it is not changed. On the meta device,
            where it has no numbers either, it is predicted for a CPU.
        shape: sequences and tokens of a batch [B, T].
        optimizer_bytes: of the optimizer's state per trained parameter, such as 2 for 8-bit AdamW;
            by default AdamW's two moments in the precision of the parameter itself.

    Raises:
        LabError: `method` does not fit the model.
    """
    with torch.random.fork_rng(range(torch.cuda.device_count())), FakeTensorMode():
        shell = _adapted(_shell(model), method)
        trained = [parameter for parameter in shell.parameters() if parameter.requires_grad]
        if optimizer_bytes is None:
            moments = 2 * _nbytes(trained)
        else:
            moments = optimizer_bytes * sum(parameter.numel() for parameter in trained)
        return Memory(
            **_static_bytes(shell),
            constants=sum(layer.constants_bytes for layer in _modules(shell, _FourBitShell)),
            gradients=_nbytes(trained),
            optimizer=moments + _FLOAT * len(trained),
            activations=_activation_bytes(shell, shape, precision),
        )


def measure_memory(trainer: Trainer, batch: Batch) -> Memory:
    """What `trainer` keeps in memory, seen while it takes its next step, on `batch`.

    Activations are what autograd saves on a CPU, and what tensors request during the forward pass
    on CUDA.
    """
    model = trainer.model
    trainer.optimizer.zero_grad(set_to_none=True)
    if batch[0].is_cuda:
        with torch.no_grad():
            model(batch[0])  # libraries allocate their workspaces at their first use
    with _saved_by(model) as saved:
        next(trainer.points(iter([batch])))
    states = trainer.optimizer.state.values()
    return Memory(
        **_static_bytes(model),
        constants=sum(
            tensor.nbytes
            for _, layer in quantised_layers(model)
            for tensor in (*constants(layer), *lookup_tables(layer))
        ),
        gradients=_nbytes(p.grad for p in model.parameters() if p.grad is not None),
        optimizer=_nbytes(value for state in states for value in state.values()),
        activations=saved.allocated if batch[0].is_cuda else saved.peak,
    )


def _static_bytes(model: nn.Module) -> dict[str, int]:
    """Bytes of the base model's weights and of the adapter's."""
    adapter = {
        id(matrix): matrix
        for layer in _modules(model, LoraLinear)
        for matrix in (layer.a_RI, layer.b_RO)
    }
    everything = (*model.parameters(), *model.buffers())
    return {
        "weights": _nbytes(tensor for tensor in everything if id(tensor) not in adapter),
        "adapter": _nbytes(adapter.values()),
    }


def _modules(model: nn.Module, kind: type[Module]) -> Iterator[Module]:
    return (module for module in model.modules() if isinstance(module, kind))


def _nbytes(tensors: Iterable[object]) -> int:
    """Bytes of the tensors among `tensors`; memory that several share counts once."""
    storages = [tensor.untyped_storage() for tensor in tensors if isinstance(tensor, Tensor)]
    return sum({storage._cdata: storage.nbytes() for storage in storages}.values())


def _requested_bytes() -> int:
    """Bytes that tensors on the GPU hold, without what the allocator rounds up to whole blocks."""
    return torch.cuda.memory_stats().get("requested_bytes.all.current", 0)


class _Saved:
    """Counts what autograd saves for the backward pass, by the memory behind it.

    Attributes:
        peak: most bytes saved at once.
        allocated: on CUDA, bytes requested from the start to the first use of a saved tensor.
    """

    def __init__(self, model: nn.Module) -> None:
        self._not_counted = {_address(t) for t in (*model.parameters(), *model.buffers())}
        self._holders = Counter()
        self._live = 0
        self._before = _requested_bytes()
        self.peak = 0
        self.allocated = 0

    def pack(self, tensor: Tensor) -> "_Held":
        return _Held(tensor.detach(), self)

    def unpack(self, held: "_Held") -> Tensor:
        self.allocated = self.allocated or _requested_bytes() - self._before
        return held.tensor

    def hold(self, tensor: Tensor, holders: int) -> None:
        """One holder of a tensor's memory more (1) or less (-1)."""
        address = _address(tensor)
        if address in self._not_counted:
            return
        if self._holders[address] == max(0, -holders):
            self._live += holders * tensor.untyped_storage().nbytes()
        self._holders[address] += holders
        self.peak = max(self.peak, self._live)


class _Held:
    """A saved tensor, counted for as long as the graph needs it."""

    def __init__(self, tensor: Tensor, saved: _Saved) -> None:
        self.tensor, self._saved = tensor, saved
        saved.hold(tensor, 1)

    def __del__(self) -> None:
        self._saved.hold(self.tensor, -1)


@contextmanager
def _saved_by(model: nn.Module) -> Iterator[_Saved]:
    saved = _Saved(model)
    with saved_tensors_hooks(saved.pack, saved.unpack):
        yield saved


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _shell(model: nn.Module) -> nn.Module:
    """A copy of `model` with its shapes but without its numbers, in a mode of fake tensors."""
    memo = {}
    for _, layer in quantised_layers(model):
        state = layer.weight.quant_state
        memo[id(layer)] = _FourBitShell(layer, FourBit(state.nested, state.blocksize))
    for parameter in model.parameters():
        memo[id(parameter)] = nn.Parameter(_empty(parameter), parameter.requires_grad)
    for buffer in model.buffers():
        memo[id(buffer)] = _empty(buffer)
    return copy.deepcopy(model, memo)


def _empty(tensor: Tensor) -> Tensor:
    device = torch.device("cpu") if tensor.is_meta else tensor.device
    return torch.empty(tensor.shape, dtype=tensor.dtype, device=device)


def _adapted(shell: nn.Module, method: Method) -> nn.Module:
    if not isinstance(method, QloraSpec):
        return method.adapt(shell, seed=0)
    for name, layer in layers_to_quantise(shell).items():
        if not isinstance(layer, _FourBitShell):
            replace_module(shell, name, _FourBitShell(layer, method.four_bit))
    return method.lora.adapt(shell, seed=0)


def _activation_bytes(shell: nn.Module, shape: tuple[int, int], precision: Precision) -> int:
    device = next(shell.parameters()).device
    tokens_BT = torch.zeros(shape, dtype=torch.long, device=device)
    with _saved_by(shell.train()) as saved:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            output = shell(tokens_BT)
        logits_BTV = output if isinstance(output, Tensor) else output.logits
        loss = next_token_loss(logits_BTV, tokens_BT)
    del loss
    return saved.peak


class _FourBitShell(nn.Linear):
    """A 4-bit layer by its shapes: like the real one, it saves nothing for the backward pass."""

    def __init__(self, layer: nn.Linear, four_bit: FourBit) -> None:
        super().__init__(layer.in_features, layer.out_features, device="meta")
        device, n_weights = layer.weight.device, layer.in_features * layer.out_features
        packed = torch.empty(math.ceil(n_weights / 2), dtype=torch.uint8, device=device)
        self.weight = nn.Parameter(packed, requires_grad=False)
        self.bias = None if layer.bias is None else nn.Parameter(_empty(layer.bias), False)
        self.constants_bytes = _constants_bytes(n_weights, four_bit)

    def forward(self, x_BTI: Tensor) -> Tensor:
        return _NothingSaved.apply(x_BTI, self.out_features)


class _NothingSaved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x_BTI: Tensor, n_out: int) -> Tensor:
        return x_BTI.new_empty(*x_BTI.shape[:-1], n_out)


def _constants_bytes(n_weights: int, four_bit: FourBit) -> int:
    """One float32 per block; or one byte, and a float32 per 256 of these and for their mean."""
    n_blocks = math.ceil(n_weights / four_bit.block_size)
    tables = _TABLES[four_bit.double_quantisation]
    if not four_bit.double_quantisation:
        return tables + _FLOAT * n_blocks
    return tables + n_blocks + _FLOAT * (math.ceil(n_blocks / _DOUBLE_BLOCK) + 1)

"""Training on several processes: each takes its rows of every batch, and gradients are averaged.

Under `torchrun` every process finds its place in the environment. A small model lives whole in
each of them (distributed data parallel); a large one is cut into shards, with its gradients and
the optimizer's state, and gathered block by block (FSDP2, `torch.distributed.fsdp`).
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from llmlab.gpt.model import GPT
from llmlab.gpt.training import best_device

SHARDED_FROM = 100_000_000
"""Parameters from which a model is cut into shards: medium's 124 million and above."""


@dataclass(frozen=True)
class Workers:
    """This process among those that train together.

    Attributes:
        rank: its number, from 0.
        world: how many there are.
        sharded_from: parameters from which a model is cut into shards.
    """

    rank: int
    world: int
    device: torch.device
    sharded_from: int = SHARDED_FROM

    @classmethod
    def alone(cls) -> "Workers":
        return cls(0, 1, best_device())

    @property
    def is_first(self) -> bool:
        """Whether this is the process that prints and writes files."""
        return self.rank == 0

    def spread(self, model: GPT) -> nn.Module:
        """What computes the logits of `model` while gradients are averaged over all processes."""
        if self.world == 1:
            return model
        if model.n_parameters() < self.sharded_from:
            return nn.parallel.DistributedDataParallel(model)
        return _sharded(model, self.device)

    def without_sync(self, forward: nn.Module) -> Callable[[], AbstractContextManager]:
        """The context in which gradients of `forward` stay on this process."""
        return getattr(forward, "no_sync", nullcontext)

    def mean(self, loss: Tensor) -> Tensor:
        """Mean of a number over all processes."""
        if self.world == 1:
            return loss
        total = loss.clone()
        dist.all_reduce(total)
        return total / self.world

    def seed_dropout(self, seed: int) -> None:
        """Have each process draw random numbers of its own from here on.

        The first draws what it would draw alone; all have made the same model before.
        """
        if self.rank:
            (derived,) = np.random.SeedSequence((seed, self.rank)).generate_state(1)
            torch.manual_seed(int(derived))

    def each(self, value: object) -> list[object]:
        """The values of all processes, in the order of their ranks; all must call it."""
        if self.world == 1:
            return [value]
        values = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def gathered(self, state: object) -> object:
        """A state dictionary on the CPU, every shard put back into its whole tensor.

        All processes must call it, since each holds a part.
        """
        if isinstance(state, Mapping):
            return {key: self.gathered(value) for key, value in state.items()}
        if isinstance(state, list | tuple):
            return type(state)(map(self.gathered, state))
        if isinstance(state, Tensor):
            whole = state.full_tensor() if hasattr(state, "full_tensor") else state
            return whole.detach().cpu()
        return state

    def scattered(self, state: dict, optimizer: torch.optim.Optimizer) -> dict:
        """An optimizer's gathered state, sharded like the parameters that it belongs to."""
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        cut = {
            index: {name: _cut_like(value, parameters[index]) for name, value in entry.items()}
            for index, entry in state["state"].items()
        }
        return {**state, "state": cut}


@contextmanager
def joined(sharded_from: int = SHARDED_FROM) -> Iterator[Workers]:
    """The processes that `torchrun` started, or this one alone."""
    if "WORLD_SIZE" not in os.environ:
        yield Workers.alone()
        return
    gpus = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if gpus else torch.device("cpu")
    if gpus:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if gpus else "gloo")
    try:
        yield Workers(dist.get_rank(), dist.get_world_size(), device, sharded_from)
    finally:
        dist.destroy_process_group()


def _sharded(model: GPT, device: torch.device) -> nn.Module:
    """`model` itself; each block is a shard group, the shared embedding belongs to the root's."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    for block in model.blocks:
        fully_shard(block, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def _cut_like(value: object, parameter: Tensor) -> object:
    """Shard a tensor of the parameter's shape like the parameter; leave anything else as it is."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(parameter, DTensor) or getattr(value, "shape", None) != parameter.shape:
        return value
    value = value.to(parameter.device)
    return distribute_tensor(value, parameter.device_mesh, parameter.placements)

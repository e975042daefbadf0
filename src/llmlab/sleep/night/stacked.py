"""The adapters of one night, trained together on one frozen coder.

Each has its own start, lessons and clipping, and becomes what it becomes when trained by itself,
within float tolerance.

Shapes in names: K adapters, S steps, M = K·B rows of all adapters, one adapter after another, N
targets of all rows; else as in `finetune.study.stacked`.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.study.stacked import Stack
from llmlab.gpt.model import GPT, IGNORE
from llmlab.gpt.study.stacked_adamw import StackedAdamW
from llmlab.gpt.training import Batch, TrainConfig, learning_rate_at
from llmlab.method.errors import LabError
from llmlab.sleep.night.adapters import Adapter, Factors

ROWS = {"cpu": 16, "cuda": 512}
"""Largest number of sequences, over all adapters, of one pass: a CPU is busy with few, and more
adapters need more padding."""
DIVERGED = "the night's training diverged: take a lower learning rate."


@dataclass(frozen=True)
class Job:
    """What one adapter learns from, and where it starts.

    Attributes:
        batches: of any number of rows and any width, which may change.
        start: its B is zero.
    """

    batches: Iterator[Batch]
    start: Adapter


def in_stacks(jobs: Sequence[Job], batch_size: int, device: torch.device) -> list[Sequence[Job]]:
    """Jobs that train together, in their order; a pass has at most `ROWS` rows, or one job."""
    size = max(1, ROWS[device.type] // batch_size)
    return [jobs[first : first + size] for first in range(0, len(jobs), size)]


def trained_together(
    model: GPT, jobs: Sequence[Job], spec: LoraSpec, config: TrainConfig, pad: int
) -> list[Adapter]:
    """The adapter of each job; `model` stays as it is.

    Args:
        pad: token that fills the rows up.

    Raises:
        LabError: training of one of them diverged.
    """
    stack = new_stack(model, jobs, spec)
    if not train_stack(stack, model.head, jobs, config, pad).isfinite().all():
        raise LabError(DIVERGED)
    return adapters_of(stack)


def new_stack(model: GPT, jobs: Sequence[Job], spec: LoraSpec) -> Stack:
    """A copy of `model` with the adapters that the jobs start from, and without its head."""
    body = copy.deepcopy(model)
    body.head = nn.Identity()
    stack = Stack(body, [spec] * len(jobs))
    with torch.no_grad():
        for path, (a_KRI, _) in stack.adapters().items():
            a_KRI.copy_(torch.stack([job.start[path].a_RI for job in jobs]))
    return stack


def train_stack(
    stack: Stack, head: nn.Linear, jobs: Sequence[Job], config: TrainConfig, pad: int
) -> Tensor:
    """Train every adapter; the loss of each step, [S, K], NaN from where a job has diverged."""
    configs = [config] * stack.n_jobs
    optimizer = StackedAdamW(stack.weights_KP, configs, torch.ones_like(stack.weights_KP[0]))
    losses_SK = torch.full((config.steps, stack.n_jobs), math.nan, device=stack.device)
    stack.train()
    for step in range(config.steps):
        losses_K = _losses(stack, head, *joined([next(job.batches) for job in jobs], pad))
        (gradients_KP,) = torch.autograd.grad(losses_K.sum(), stack.weights_KP)
        losses_K = losses_K.detach()
        rates_K = torch.full_like(losses_K, learning_rate_at(step, config))
        optimizer.step(losses_K, gradients_KP, rates_K)
        losses_SK[step] = losses_K.where(optimizer.alive_K, math.nan)
    return losses_SK


def joined(batches: Sequence[Batch], pad: int) -> Batch:
    """One batch of all rows, each job's filled up to the most rows and the largest width."""
    n_rows = max(len(inputs_BT) for inputs_BT, _ in batches)
    width = max(inputs_BT.shape[1] for inputs_BT, _ in batches)
    inputs_KBT = batches[0][0].new_full((len(batches), n_rows, width), pad)
    targets_KBT = torch.full_like(inputs_KBT, IGNORE)
    for job, (inputs_BT, targets_BT) in enumerate(batches):
        rows, length = inputs_BT.shape
        inputs_KBT[job, :rows, :length] = inputs_BT
        targets_KBT[job, :rows, :length] = targets_BT
    return inputs_KBT.flatten(0, 1), targets_KBT.flatten(0, 1)


def adapters_of(stack: Stack) -> list[Adapter]:
    """The adapters that `stack` carries, as `adapters.adapter_of` takes one from a model."""
    found = {
        path: (stack.layers[path].scale_K11 * b_KRO.detach(), a_KRI.detach())
        for path, (a_KRI, b_KRO) in stack.adapters().items()
    }
    return [
        {
            path: Factors(b_KRO[job].T, a_KRI[job].clone()).cpu()
            for path, (b_KRO, a_KRI) in found.items()
        }
        for job in range(stack.n_jobs)
    ]


def _losses(stack: Stack, head: nn.Linear, inputs_MT: Tensor, targets_MT: Tensor) -> Tensor:
    """Each job's `next_token_loss`, shape [K].

    The head reads only the positions that have a target: one in ten.
    """
    counts_MT = targets_MT != IGNORE
    logits_NV = head(stack(inputs_MT)[counts_MT])
    nats_N = F.cross_entropy(logits_NV, targets_MT[counts_MT], reduction="none")
    counts_K = counts_MT.view(stack.n_jobs, -1).sum(1)
    job_N = torch.arange(stack.n_jobs, device=stack.device).repeat_interleave(counts_K)
    return nats_N.new_zeros(stack.n_jobs).index_add(0, job_N, nats_N) / counts_K

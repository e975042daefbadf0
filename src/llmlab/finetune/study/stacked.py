"""Whole sweeps at once: many LoRA adapters trained together on one frozen base.

The batches of K jobs pass through the frozen layers as one batch, and the K adapters of a layer are
two batched products. Only the base is shared: each job has its own start, data order, schedule,
clipping, moments and divergence, so that it gives what `fine_tune` gives, within float tolerance.

Adapters of lower rank are padded with zeros. The gradient of a padded row of A passes through the
padded row of B, and that of B through that of A, so both stay zero without a mask.

Shapes in names: K adapters, S steps, M = K·B rows of all jobs, one job after another, N tokens of
one job's batch, R the largest rank, P numbers of one adapter with its padding; else as in `lora`.
"""

import copy
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmlab.finetune.model.base_model import load_base_model
from llmlab.finetune.model.lora import LoraLinear, LoraSpec, add_lora, target_layers
from llmlab.finetune.model.replacing import replace_module
from llmlab.finetune.study.tuning import Tuned, Tuning, accuracies_of_base
from llmlab.finetune.tasks.batches import Sequences, encode, epochs
from llmlab.finetune.tasks.skills import SKILLS, Item
from llmlab.gpt.model import IGNORE
from llmlab.gpt.study.stacked_adamw import StackedAdamW
from llmlab.gpt.training import Evaluation, History, Point, best_device, learning_rate_at

GRADED_ROWS = 8192
"""Largest number of sequences, over all adapters, that one forward pass grades."""


def fine_tune_stack(tunings: Sequence[Tuning]) -> list[Tuned]:
    """What `fine_tune` gives for each of K runs that `can_stack` together."""
    stack = new_stack(tunings)
    histories = train_stack(stack, tunings)
    return graded_stack(stack, histories, tunings)


# The stack


class StackedLora(nn.Module):
    """A frozen linear layer with the adapters of K jobs; its rows are ordered by job.

    Attributes:
        a_KRI, b_KRO: each job's A and B, put here by the stack before each pass.
        scale_K11: each job's s.
    """

    a_KRI: Tensor
    b_KRO: Tensor

    def __init__(self, base: nn.Linear, scale_K11: Tensor) -> None:
        super().__init__()
        self.base = base
        self.scale_K11 = scale_K11

    def forward(self, x_MTI: Tensor) -> Tensor:
        h_MTO = self.base(x_MTI)
        n_jobs = len(self.scale_K11)
        x_KNI = x_MTI.reshape(n_jobs, -1, x_MTI.shape[-1])
        h_KNO = h_MTO.view(n_jobs, -1, h_MTO.shape[-1])
        low_KNR = torch.bmm(x_KNI, (self.scale_K11 * self.a_KRI).transpose(1, 2))
        return torch.baddbmm(h_KNO, low_KNR, self.b_KRO).view_as(h_MTO)


class Stack(nn.Module):
    """A frozen model with K adapters.

    Attributes:
        weights_KP: each row is one adapter: A and B of every layer in turn, all that is trained.
    """

    def __init__(self, model: nn.Module, specs: Sequence[LoraSpec]) -> None:
        """Put a stack of zero adapters into `model`, in place."""
        super().__init__()
        targets = dict(target_layers(model, specs[0].target_modules))
        device = next(model.parameters()).device
        scale_K11 = torch.tensor([spec.scale for spec in specs], device=device)[:, None, None]
        self.rank = max(spec.rank for spec in specs)
        widths = [(layer.in_features, layer.out_features) for layer in targets.values()]
        self.sizes = [self.rank * width for both in widths for width in both]
        self.layers = {name: StackedLora(layer, scale_K11) for name, layer in targets.items()}
        for name, layer in self.layers.items():
            replace_module(model, name, layer)
        self.model = model.requires_grad_(False)
        self.weights_KP = nn.Parameter(torch.zeros(len(specs), sum(self.sizes), device=device))

    @property
    def n_jobs(self) -> int:
        return len(self.weights_KP)

    @property
    def device(self) -> torch.device:
        return self.weights_KP.device

    def adapters(self) -> dict[str, tuple[Tensor, Tensor]]:
        """A and B of each layer by its path, as views of shape [K, R, I] and [K, R, O]."""
        pieces = self.weights_KP.split(self.sizes, dim=1)
        views = iter([piece.unflatten(1, (self.rank, -1)) for piece in pieces])
        return dict(zip(self.layers, zip(views, views, strict=True), strict=True))

    def forward(self, tokens_MT: Tensor) -> Tensor:
        """Logits of the rows of all jobs, ordered by job."""
        for name, views in self.adapters().items():
            self.layers[name].a_KRI, self.layers[name].b_KRO = views
        return self.model(tokens_MT)


def new_stack(tunings: Sequence[Tuning]) -> Stack:
    """The base of the runs, with the adapters that each of them starts from.

    Raises:
        LabError: as `add_lora`.
    """
    model = load_base_model(tunings[0].base, best_device())
    starts = [_start(model, tuning.method, tuning.seed) for tuning in tunings]
    stack = Stack(model, [tuning.method for tuning in tunings])
    with torch.no_grad():
        for name, (a_KRI, _) in stack.adapters().items():
            for a_RI, start in zip(a_KRI, starts, strict=True):
                a_RI[: len(start[name])] = start[name]
    return stack


def _start(model: nn.Module, spec: LoraSpec, seed: int) -> dict[str, Tensor]:
    """The first A of each layer, by `add_lora` itself on a copy that shares the weights."""
    shared = {id(parameter): parameter for parameter in model.parameters()}
    adapted = add_lora(copy.deepcopy(model, shared), spec, seed)
    layers = {n: m for n, m in adapted.named_modules() if isinstance(m, LoraLinear)}
    return {name: layer.a_RI.detach() for name, layer in layers.items()}


# Training


def train_stack(stack: Stack, tunings: Sequence[Tuning]) -> list[History]:
    """Train every adapter until it is done or diverges, as `gpt.training.train` would."""
    config, device = tunings[0].config, stack.device
    rates_SK = [
        [learning_rate_at(step, tuning.config) for tuning in tunings]
        for step in range(config.steps)
    ]
    losses_SK = torch.full((config.steps, stack.n_jobs), math.nan, device=device)
    norms_SK = losses_SK.clone()
    configs = [tuning.config for tuning in tunings]
    optimizer = StackedAdamW(stack.weights_KP, configs, torch.ones_like(stack.weights_KP[0]))
    stack.train()
    batches = _batches(tunings, device)
    for step, rates_K in enumerate(torch.tensor(rates_SK, device=device)):
        losses_K = _losses(stack, *next(batches), config.precision)
        (gradients_KP,) = torch.autograd.grad(losses_K.sum(), stack.weights_KP)
        losses_SK[step] = losses_K.detach()
        norms_SK[step] = optimizer.step(losses_SK[step], gradients_KP, rates_K)
        if step % config.log_every == 0 and not optimizer.alive_K.any():
            break
    tokens = tunings[0].batch_size * encode(tunings[0].task.train).tokens_NT.shape[1]
    seen = zip(losses_SK.T.tolist(), norms_SK.T.tolist(), zip(*rates_SK, strict=True), strict=True)
    return [
        History.of(
            (Point(step, tokens, *point) for step, point in enumerate(zip(*job, strict=True))),
            tuning.config,
        )
        for job, tuning in zip(seen, tunings, strict=True)
    ]


def _batches(tunings: Sequence[Tuning], device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets of each step, shape [M, T], in the orders that `epochs` draws."""
    sequences = encode(tunings[0].task.train).to(device)
    index_N = torch.arange(len(sequences.tokens_NT))
    orders = [epochs(Sequences(index_N, index_N), t.batch_size, t.seed) for t in tunings]
    steps = tunings[0].config.steps
    orders_SM = torch.stack(
        [torch.cat([next(order)[0] for order in orders]) for _ in range(steps)]
    ).to(device)
    for order_M in orders_SM:
        yield sequences.tokens_NT[order_M], sequences.targets_NT[order_M]


def _losses(stack: Stack, inputs_MT: Tensor, targets_MT: Tensor, precision: str) -> Tensor:
    """Each job's `next_token_loss`, shape [K]."""
    bfloat16 = precision == "bfloat16"
    with torch.autocast(stack.device.type, torch.bfloat16, enabled=bfloat16):
        logits_MTV = stack(inputs_MT)
    nats_KN = _nats(logits_MTV, targets_MT).view(stack.n_jobs, -1)
    return nats_KN.sum(1) / (targets_MT != IGNORE).view(stack.n_jobs, -1).sum(1)


def _nats(logits_MTV: Tensor, targets_MT: Tensor) -> Tensor:
    """Cross-entropy of every position, zero where the target is `IGNORE`."""
    return F.cross_entropy(
        logits_MTV.flatten(0, 1).float(),
        targets_MT.flatten(),
        ignore_index=IGNORE,
        reduction="none",
    )


# Grading


def graded_stack(
    stack: Stack, histories: Sequence[History], tunings: Sequence[Tuning]
) -> list[Tuned]:
    """Grade every adapter, as `tuning.graded` would."""
    task, n_items = tunings[0].task, tunings[0].suite_items
    suites = {name: grade_stack(stack, skill().test[:n_items]) for name, skill in SKILLS.items()}
    validation, test = grade_stack(stack, task.validation), grade_stack(stack, task.test)
    before = accuracies_of_base(tunings[0].base, n_items)
    after = [
        {name: grades[job].accuracy for name, grades in suites.items()}
        for job in range(stack.n_jobs)
    ]
    return [
        Tuned(
            history=history,
            validation=validation[job],
            test=test[job],
            suites=after[job],
            forgetting=sum(before[name] - after[job][name] for name in before) / len(before),
        )
        for job, history in enumerate(histories)
    ]


@torch.no_grad()
def grade_stack(stack: Stack, items: Sequence[Item]) -> list[Evaluation]:
    """Loss and exact answers of every adapter on the same items, as `gpt.training.evaluate`."""
    stack.eval()
    sequences = encode(items).to(stack.device)
    batch_size = max(1, GRADED_ROWS // stack.n_jobs)
    nats_K = torch.zeros(stack.n_jobs, device=stack.device)
    right = []
    for inputs_BT, targets_BT in zip(
        sequences.tokens_NT.split(batch_size), sequences.targets_NT.split(batch_size), strict=True
    ):
        targets_MT = targets_BT.repeat(stack.n_jobs, 1)
        logits_MTV = stack(inputs_BT.repeat(stack.n_jobs, 1))
        nats_K += _nats(logits_MTV, targets_MT).view(stack.n_jobs, -1).sum(1)
        right_MT = (logits_MTV.argmax(dim=-1) == targets_MT) | (targets_MT == IGNORE)
        right.append(right_MT.all(dim=1).view(stack.n_jobs, -1))
    losses_K = nats_K / (sequences.targets_NT != IGNORE).sum()
    rights_KN = torch.cat(right, dim=1).tolist()
    return [
        Evaluation(loss, tuple(rights_N))
        for loss, rights_N in zip(losses_K.tolist(), rights_KN, strict=True)
    ]

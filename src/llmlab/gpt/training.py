"""The training loop: AdamW, warm-up and cosine, clipping, bf16 where there is hardware for it.

One loop serves pretraining and adapters: it trains whatever requires a gradient, on whatever
batches it is given.
"""

import math
import operator
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor, nn

from llmlab.gpt.model import IGNORE, next_token_loss

Precision = Literal["float32", "bfloat16"]
Batch = tuple[Tensor, Tensor]
"""Token ids and next-token targets, both [B, T] on the model's device."""


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    Attributes:
        learning_rate: peak rate, reached after the warm-up.
        steps: optimizer steps.
        warmup_share: share of the steps over which the rate rises linearly.
        final_share: share of the peak rate that the cosine ends at.
        weight_decay: decoupled decay of matrices (norms, biases and embeddings have none).
        clip: largest gradient norm.
        accumulate: parts that a batch is computed in, one after another, to save memory; the
            gradient is that of the whole batch.
        precision: "bfloat16" runs matrix products under autocast; weights stay float32.
        log_every: steps between two points of the curves.
    """

    learning_rate: float
    steps: int
    warmup_share: float = 0.05
    final_share: float = 0.1
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0
    accumulate: int = 1
    precision: Precision = "float32"
    log_every: int = 10


@dataclass(frozen=True)
class Point:
    """One step: loss in nats, gradient norm before clipping, learning rate used.

    `tokens` counts the input tokens of this step's batch, padding included; `seconds` is the time
    that the step took.
    """

    step: int
    tokens: int
    loss: float
    gradient_norm: float
    learning_rate: float
    seconds: float = field(default=0.0, compare=False)

    @property
    def is_finite(self) -> bool:
        return math.isfinite(self.loss + self.gradient_norm)


@dataclass(frozen=True)
class History:
    """What happened in training.

    Attributes:
        points: one per `log_every` steps, and the last.
        tokens: input tokens seen, padding included.
        diverged_at: first step whose loss or gradient was not finite; None if there was none.
    """

    points: tuple[Point, ...]
    tokens: int
    diverged_at: int | None = None

    @classmethod
    def of(cls, stream: Iterable[Point], config: TrainConfig) -> "History":
        """The history of a stream of points, thinned to every `log_every`-th and the last."""
        points, tokens = [], 0
        for point in stream:
            tokens += point.tokens
            if not point.is_finite:
                return cls(tuple(points), tokens, diverged_at=point.step)
            if point.step % config.log_every == 0 or point.step == config.steps - 1:
                points.append(point)
        return cls(tuple(points), tokens)

    def curve(self, name: str) -> list[tuple[int, float]]:
        """(step, value) of one field of the points, such as "loss"."""
        return [(point.step, getattr(point, name)) for point in self.points]


def best_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def available_memory(device: torch.device) -> int:
    """Free bytes of a GPU, or all the memory of a CPU."""
    if device.type == "cuda":
        torch.cuda.empty_cache()  # what the stack before this one left
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def best_precision(device: torch.device) -> Precision:
    """bf16 where the hardware multiplies it natively, float32 elsewhere."""
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    return "bfloat16" if torch.cpu._is_avx512_bf16_supported() else "float32"


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then half a cosine down to `final_share` of the peak (1608.03983, eq. 5)."""
    warmup_steps = max(1, round(config.warmup_share * config.steps))
    if step < warmup_steps:
        return config.learning_rate * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, config.steps - warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return config.learning_rate * (config.final_share + (1 - config.final_share) * cosine)


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW (1711.05101) over what requires a gradient, decaying only the matrices of layers."""
    embeddings = {
        id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)
    }
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    decayed = [p for p in trained if p.ndim >= 2 and id(p) not in embeddings]
    decayed_ids = {id(parameter) for parameter in decayed}
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": [p for p in trained if id(p) not in decayed_ids], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)


class Trainer:
    """A model in training: what it takes to go on from here is in `state_dict`.

    Attributes:
        model: what is trained, in place: every parameter that requires a gradient.
        step: optimizer steps done.
    """

    def __init__(
        self,
        model: nn.Module,
        config: TrainConfig,
        *,
        forward: Callable[[Tensor], Tensor] | None = None,
        without_sync: Callable[[], AbstractContextManager] = nullcontext,
        mean: Callable[[Tensor], Tensor] = lambda loss: loss,
    ) -> None:
        """Prepare the optimizer.

        Args:
            forward: computes the logits in the model's place, such as its compiled or
                data-parallel form.
            without_sync: the context in which gradients stay on this process (all parts of a batch
                but the last).
            mean: mean of a loss over all processes.
        """
        self.model = model
        self.config = config
        self.optimizer = make_optimizer(model, config)
        self.step = 0
        self._trained = [p for group in self.optimizer.param_groups for p in group["params"]]
        self._forward = model if forward is None else forward
        self._without_sync = without_sync
        self._mean = mean

    def points(self, batches: Iterator[Batch]) -> Iterator[Point]:
        """Train, one optimizer step per point that is asked for.

        A stream, so that a caller can grade, save or stop between two steps. It ends after
        `config.steps` steps, or with the first point that is not finite: that step is not applied,
        so the model is still the one that it was before.

        Args:
            batches: begins with the batch of step `self.step`.
        """
        while self.step < self.config.steps:
            started = time.perf_counter()
            inputs_BT, targets_BT = next(batches)
            rate = learning_rate_at(self.step, self.config)
            loss, norm = self._gradients(inputs_BT, targets_BT)
            seen = Point(self.step, inputs_BT.numel(), loss, norm, rate)
            if not seen.is_finite:
                yield seen
                return
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            self.optimizer.step()
            self.step += 1
            yield replace(seen, seconds=time.perf_counter() - started)

    def state_dict(self) -> dict[str, object]:
        """Step and optimizer; the weights are the model's to keep."""
        return {"step": self.step, "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        self.step = state["step"]
        self.optimizer.load_state_dict(state["optimizer"])

    def _gradients(self, inputs_BT: Tensor, targets_BT: Tensor) -> tuple[float, float]:
        """Leave clipped gradients of the whole batch; its loss and the norm before clipping."""
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        parts = [whole.chunk(self.config.accumulate) for whole in (inputs_BT, targets_BT)]
        last = len(parts[0]) - 1
        n_counted = (targets_BT != IGNORE).sum().clamp(min=1)
        total = torch.zeros((), device=inputs_BT.device)
        for index, (inputs_bT, targets_bT) in enumerate(zip(*parts, strict=True)):
            n_part = (targets_bT != IGNORE).sum()
            share = n_part / n_counted
            # the mean over no target is NaN; a part without any has share 0, so any will do
            targets_bT = targets_bT.masked_fill(n_part == 0, 0)
            with nullcontext() if index == last else self._without_sync():
                loss = share * self._loss(inputs_bT, targets_bT)
                loss.backward()
            total += loss.detach()
        norm = nn.utils.clip_grad_norm_(self._trained, self.config.clip)
        return self._mean(total).item(), _whole(norm).item()

    def _loss(self, inputs_BT: Tensor, targets_BT: Tensor) -> Tensor:
        bfloat16 = self.config.precision == "bfloat16"
        with torch.autocast(inputs_BT.device.type, torch.bfloat16, enabled=bfloat16):
            logits_BTV = self._forward(inputs_BT)
        return next_token_loss(logits_BTV, targets_BT)


def _whole(tensor: Tensor) -> Tensor:
    """The tensor itself, gathered where it is sharded over processes."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def train(model: nn.Module, batches: Iterator[Batch], config: TrainConfig) -> History:
    """Train to the end, or to divergence, and keep what a figure needs."""
    return History.of(Trainer(model, config).points(batches), config)


@dataclass(frozen=True)
class Evaluation:
    """Loss and exact answers on held-out sequences.

    Attributes:
        loss: mean cross-entropy in nats per counted token.
        correct: for each sequence, whether every counted token was the most likely one. This is
            greedy decoding's exact match: up to its first mistake, decoding sees the true prefix.
    """

    loss: float
    correct: tuple[bool, ...]

    @property
    def accuracy(self) -> float:
        return sum(self.correct) / len(self.correct)


@torch.no_grad()
def evaluate(
    model: nn.Module, tokens_NT: Tensor, targets_NT: Tensor, batch_size: int = 256
) -> Evaluation:
    """Loss and exact answers of `model` on N sequences, in float32."""
    model.eval()
    losses, counts, correct = [], [], []
    for inputs_BT, targets_BT in zip(
        tokens_NT.split(batch_size), targets_NT.split(batch_size), strict=True
    ):
        logits_BTV = model(inputs_BT)
        counted_BT = targets_BT != IGNORE
        if n_counted := counted_BT.sum().item():
            losses.append(next_token_loss(logits_BTV, targets_BT).item())
            counts.append(n_counted)
        right_BT = (logits_BTV.argmax(dim=-1) == targets_BT) | ~counted_BT
        correct += right_BT.all(dim=1).tolist()
    loss = sum(map(operator.mul, losses, counts)) / sum(counts)
    return Evaluation(loss, tuple(correct))

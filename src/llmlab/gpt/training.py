"""The training loop: AdamW, warm-up and cosine, clipping, bf16 where there is hardware for it.

One loop serves pretraining and adapters: it trains whatever requires a gradient, on whatever
batches it is given.
"""

import math
import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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
    precision: Precision = "float32"
    log_every: int = 10


@dataclass(frozen=True)
class Point:
    """One step: loss in nats, gradient norm before clipping, learning rate used.

    `tokens` counts the input tokens of this step's batch, padding included.
    """

    step: int
    tokens: int
    loss: float
    gradient_norm: float
    learning_rate: float

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


def training_steps(
    model: nn.Module, batches: Iterator[Batch], config: TrainConfig
) -> Iterator[Point]:
    """Train `model` in place, one optimizer step per point that is asked for.

    A stream, so that a caller can grade, save or stop between two steps. It ends after
    `config.steps` points, or with the first point that is not finite: that step is not applied.
    """
    optimizer = make_optimizer(model, config)
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for step in range(config.steps):
        model.train()
        inputs_BT, targets_BT = next(batches)
        rate = learning_rate_at(step, config)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = _loss(model, inputs_BT, targets_BT, config.precision)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(trained, config.clip)
        point = Point(step, inputs_BT.numel(), loss.item(), norm.item(), rate)
        if point.is_finite:
            optimizer.step()
        yield point
        if not point.is_finite:
            return


def train(model: nn.Module, batches: Iterator[Batch], config: TrainConfig) -> History:
    """Train to the end, or to divergence, and keep what a figure needs."""
    return History.of(training_steps(model, batches, config), config)


def _loss(model: nn.Module, inputs_BT: Tensor, targets_BT: Tensor, precision: Precision) -> Tensor:
    with torch.autocast(inputs_BT.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        logits_BTV = model(inputs_BT)
    return next_token_loss(logits_BTV, targets_BT)


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
        losses.append(next_token_loss(logits_BTV, targets_BT).item())
        counts.append(counted_BT.sum().item())
        right_BT = (logits_BTV.argmax(dim=-1) == targets_BT) | ~counted_BT
        correct += right_BT.all(dim=1).tolist()
    loss = sum(map(operator.mul, losses, counts)) / sum(counts)
    return Evaluation(loss, tuple(correct))

"""Train a transformer until the validation loss stops falling, and keep its best state."""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from llmlab.gpt.training import best_device
from llmlab.market.models.architecture import Architecture
from llmlab.market.models.transformer import MarketTransformer
from llmlab.market.samples.windows import Parts, Samples

RATE_WIDTH = 8
"""Width for which `learning_rate` is given; Adam's best rate scales as 1 / width (Yang et al. 2022,
2203.03466, table 3)."""


@dataclass(frozen=True)
class Training:
    """The training settings of a transformer.

    Attributes:
        learning_rate: for AdamW at width 8; scaled down for wider models.
        patience: epochs without a better validation loss before stopping.
    """

    learning_rate: float = 3e-3
    weight_decay: float = 0.1
    dropout: float = 0.1
    batch_size: int = 256
    epochs: int = 20
    patience: int = 3


@dataclass(frozen=True)
class Epoch:
    """The result of one epoch; epoch 0 is before training, when every answer is the base rate.

    Attributes:
        train_loss: mean over the epoch's batches, in nats; NaN at epoch 0.
        validation_loss: in nats.
        is_best: whether no earlier epoch had a lower validation loss.
    """

    epoch: int
    train_loss: float
    validation_loss: float
    is_best: bool


@dataclass(frozen=True)
class Trained:
    """A model at its best epoch, with the results of all epochs.

    Attributes:
        samples_seen: training samples times epochs.
    """

    model: MarketTransformer
    epochs: tuple[Epoch, ...]
    samples_seen: int

    @property
    def best(self) -> Epoch:
        return min(self.epochs, key=lambda one: one.validation_loss)

    def probabilities(self, samples: Samples) -> np.ndarray:
        """Probabilities of a rise, [M]."""
        logits_M = _logits(self.model, torch.from_numpy(samples.x_MLF))
        return torch.sigmoid(logits_M).double().cpu().numpy()


def train(shape: Architecture, training: Training, parts: Parts, seed: int) -> Trained:
    """Fit a transformer to the training samples; validation samples determine when to stop."""
    return Run(shape, training, parts, seed).to_the_end()


class Run:
    """One training run, epoch by epoch, so that a search can stop it."""

    def __init__(self, shape: Architecture, training: Training, parts: Parts, seed: int) -> None:
        self.training, self.parts = training, parts
        self.device = best_device()
        torch.manual_seed(seed)
        self.model = MarketTransformer(shape, training.dropout)
        self.model.start_at(float(parts.train.y_M.mean()))
        self.model.to(self.device)
        self.random = np.random.default_rng(seed)
        self.best_state = copy.deepcopy(self.model.state_dict())
        self.done: list[Epoch] = []

    def to_the_end(self) -> Trained:
        for _ in self.epochs():
            pass
        return self.trained()

    def trained(self) -> Trained:
        """The model at its best epoch so far."""
        self.model.load_state_dict(self.best_state)
        seen = (len(self.done) - 1) * len(self.parts.train)
        return Trained(self.model, tuple(self.done), seen)

    def epochs(self) -> Iterator[Epoch]:
        """Train, and yield each epoch as it ends; the untrained model comes first."""
        yield self._note(math.nan)
        optimizer = self._optimizer()
        x_MLF = torch.from_numpy(self.parts.train.x_MLF).to(self.device)
        y_M = torch.from_numpy(self.parts.train.y_M).to(self.device)
        for _ in range(self.training.epochs):
            yield self._note(self._one_epoch(optimizer, x_MLF, y_M))
            best = min(self.done, key=lambda one: one.validation_loss).epoch
            if len(self.done) - 1 - best >= self.training.patience:
                return

    def _one_epoch(self, optimizer: torch.optim.Optimizer, x_MLF: Tensor, y_M: Tensor) -> float:
        self.model.train()
        order = torch.from_numpy(self.random.permutation(len(y_M))).to(self.device)
        total = 0.0
        for batch in order.split(self.training.batch_size):
            loss = cross_entropy(self.model(x_MLF[batch]), y_M[batch])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            optimizer.step()
            total += loss.item() * len(batch)
        return total / len(y_M)

    def _note(self, train_loss: float) -> Epoch:
        samples = self.parts.validation
        logits_M = _logits(self.model, torch.from_numpy(samples.x_MLF))
        y_M = torch.from_numpy(samples.y_M).to(logits_M)
        loss = float(cross_entropy(logits_M, y_M))
        is_best = all(loss < one.validation_loss for one in self.done)
        if is_best:
            self.best_state = copy.deepcopy(self.model.state_dict())
        epoch = Epoch(len(self.done), train_loss, loss, is_best)
        self.done.append(epoch)
        return epoch

    def _optimizer(self) -> torch.optim.Optimizer:
        """AdamW without weight decay of biases, norms and positions."""
        decayed = [p for p in self.model.layers.parameters() if p.dim() > 1]
        decayed.append(self.model.embedding.weight)
        names = {id(p) for p in decayed}
        others = [p for p in self.model.parameters() if id(p) not in names]
        rate = self.training.learning_rate * RATE_WIDTH / self.model.shape.d_model
        groups = [
            {"params": decayed, "weight_decay": self.training.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=rate, fused=True)


@torch.inference_mode()
def _logits(model: MarketTransformer, x_MLF: Tensor, batch_size: int = 2048) -> Tensor:
    model.eval()
    device = next(model.parameters()).device
    return torch.cat([model(x_BLF.to(device)) for x_BLF in x_MLF.split(batch_size)])

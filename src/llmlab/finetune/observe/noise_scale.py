"""The gradient-noise scale: how many examples it takes until a batch shows the way.

A batch of n examples gives a gradient whose mean is the true one, G, and whose covariance is Σ/n.
Signal and noise are equally strong at n = tr(Σ)/|G|², the simple noise scale (McCandlish et al.
2018, arXiv 1812.06162, eq. 2.9). A batch much smaller spends steps on noise, a batch much larger
spends examples on a direction that was known already.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from llmlab.finetune.tasks.batches import Sequences
from llmlab.gpt.model import next_token_loss


@dataclass(frozen=True)
class GradientNoise:
    """Signal and noise of a gradient.

    Attributes:
        trace: estimate of tr(Σ), the summed variance of one example's gradient.
        squared_norm: estimate of |G|²; unbiased, so it may come out negative where noise rules.
    """

    trace: float
    squared_norm: float

    @property
    def scale(self) -> float:
        """tr(Σ)/|G|² in examples; infinite where no signal was found in the noise."""
        return self.trace / self.squared_norm if self.squared_norm > 0 else math.inf


def gradient_noise(small: float, big: float, n_small: int, n_big: int) -> GradientNoise:
    """Unbiased estimates from batches of two sizes (1812.06162, appendix A.1).

    Args:
        small: mean of |gradient|² over batches of `n_small` examples.
        big: |gradient|² of a batch of `n_big` examples, or its mean over several.

    Raises:
        ValueError: the small batch is not the smaller one.
    """
    if not 0 < n_small < n_big:
        raise ValueError(f"a small batch of {n_small} is not smaller than a big one of {n_big}.")
    return GradientNoise(
        trace=(small - big) / (1 / n_small - 1 / n_big),
        squared_norm=(n_big * big - n_small * small) / (n_big - n_small),
    )


def measured_noise(model: nn.Module, sequences: Sequences, chunk: int) -> GradientNoise:
    """The gradient noise of `model` on N sequences, over the parameters that it trains.

    The small batches are the N/chunk parts of the big one. Gradients in the model stay as they are.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    n_chunks = len(sequences.tokens_NT) // chunk
    total_P, squared = torch.zeros((), device=trained[0].device), 0.0
    for tokens_BT, targets_BT in zip(
        sequences.tokens_NT.split(chunk)[:n_chunks],
        sequences.targets_NT.split(chunk)[:n_chunks],
        strict=True,
    ):
        loss = next_token_loss(model(tokens_BT), targets_BT)
        gradient_P = flat(torch.autograd.grad(loss, trained))
        total_P = total_P + gradient_P
        squared += gradient_P.square().sum().item() / n_chunks
    big = (total_P / n_chunks).square().sum().item()
    return gradient_noise(squared, big, chunk, n_chunks * chunk)


def flat(tensors: tuple[Tensor, ...]) -> Tensor:
    """All entries one after another, shape [P]."""
    return torch.cat([tensor.flatten() for tensor in tensors])

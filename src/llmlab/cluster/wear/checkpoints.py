"""How often to save: closed forms for the best interval and for the goodput.

Times are in seconds. The closed forms assume independent interruptions at a constant rate.
"""

import math
from dataclasses import dataclass

from llmlab.cluster.physics.hardware import GPUS_PER_NODE

CHECKPOINT_BYTES = 14
"""Bytes per parameter: a weight in 16 bits, a master weight and two moments in 32 bits."""
STORAGE_PER_NODE = 1e9
"""Write speed of a node of eight, bytes/s: Meta's Tectonic sustains 2 TB/s for 16,384 GPUs, about
1 GB/s per node (arXiv:2407.21783, section 3.3.1)."""
RESTART = 600.0
"""Seconds from an interruption to the first new step: detection, replacement, loading, warm-up. An
assumption, since the Llama 3 paper does not give it."""


@dataclass(frozen=True)
class Wear:
    """The interruptions of a run and their costs.

    Attributes:
        between: mean seconds between interruptions.
        save: seconds that training stops for a checkpoint.
        restart: seconds from an interruption to the first new step.
    """

    between: float
    save: float
    restart: float


def young(wear: Wear) -> float:
    """Seconds between checkpoints by Young 1974, "A first order approximation to the optimum
    checkpoint interval"."""
    return math.sqrt(2 * wear.save * wear.between)


def daly(wear: Wear) -> float:
    """Seconds between checkpoints by Daly 2006, "A higher order estimate of the optimum checkpoint
    interval for restart dumps"."""
    if wear.save >= 2 * wear.between:
        return wear.between
    ratio = wear.save / (2 * wear.between)
    return young(wear) * (1 + math.sqrt(ratio) / 3 + ratio / 9) - wear.save


def goodput(wear: Wear, interval: float) -> float:
    """Share of the time spent on work that is not lost, by Daly's complete model (2006)."""
    cycle = math.expm1((interval + wear.save) / wear.between)
    return interval / (wear.between * math.exp(wear.restart / wear.between) * cycle)


def save_seconds(parameters: float, gpus: int) -> float:
    """Seconds to write the state of a model from all nodes at once."""
    nodes = max(gpus / GPUS_PER_NODE, 1.0)
    return CHECKPOINT_BYTES * parameters / (nodes * STORAGE_PER_NODE)
